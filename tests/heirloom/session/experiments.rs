//! Races of all starts and experiments of several races, through the engine.
use super::*;

fn races(heard: &[(Event, Option<Vec<u8>>)]) -> ExperimentReport {
    find(heard, |event| if let Event::Experiment(report) = event { Some(report.clone()) } else { None }).unwrap()
}

fn short() -> TrainSettings {
    TrainSettings { steps: 2, ..training() }
}

async fn run(design: Design, race: TrainSettings) -> (TestEngine, Vec<(Event, Option<Vec<u8>>)>) {
    let mut engine = TestEngine::with_everything_measured().await;
    engine.send(Command::PlanDescendant(descendant().into()), Vec::new()).await;
    let heard = engine.send(Command::Experiment(ExperimentSettings { race, design }), Vec::new()).await;
    (engine, heard)
}

async fn has_model(engine: &mut TestEngine, run: usize) -> bool {
    let heard = engine.send(Command::ExportSafetensors { run: Some(run) }, Vec::new()).await;
    match error(&heard).as_deref() {
        None => true,
        Some("There is no trained descendant yet; train one first.") => false,
        Some(other) => panic!("run {run}: {other}"),
    }
}

#[test]
fn every_start_races_in_its_own_architecture_and_leaves_a_model() {
    pollster::block_on(async {
        let race = TrainSettings { arms: Init::ALL.to_vec(), is_interleaved: false, ..short() };
        let (mut engine, heard) = run(Design::Race, race).await;
        assert_eq!(error(&heard), None);
        assert!(
            find(&heard, |event| matches!(event, Event::Experiment(_)).then_some(())).is_none(),
            "one race is no experiment"
        );
        let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
        let said: Vec<_> = race.runs.iter().map(|run| (run.arm, run.step, run.size)).collect();
        // The descendant has 3 heads and 2 layers, the ancestor 4 and 2.
        let heads = |arm| {
            if matches!(arm, Init::Inherited | Init::Scratch | Init::Selection) { 3 } else { 4 }
        };
        assert_eq!(said, Init::ALL.map(|arm| (arm, 2, (2, Some(heads(arm))))));
        let parameters = |arm: Init| race.runs.iter().find(|run| run.arm == arm).unwrap().parameters;
        assert_eq!(parameters(Init::Inherited), parameters(Init::Selection));
        assert!(parameters(Init::First) > parameters(Init::Scratch));
        for number in 0..Init::ALL.len() {
            assert!(race.runs[number].has_model && has_model(&mut engine, number).await);
        }
    });
}

#[test]
fn a_family_is_one_race_per_size_and_keeps_all_models() {
    pollster::block_on(async {
        let race = TrainSettings { arms: vec![Init::Inherited], ..short() };
        let (mut engine, heard) = run(Design::Family(vec![(3, 2), (1, 1)]), race).await;
        assert_eq!(error(&heard), None);
        let report = races(&heard);
        assert_eq!((report.races.len(), report.total, report.is_going()), (2, 2, false));
        let sizes: Vec<_> =
            report.points().iter().map(|point| (point.heads, point.layers, point.accuracy.is_some())).collect();
        assert_eq!(sizes, [(Some(3), 2, true), (Some(1), 1, true)]);
        assert_eq!(report.races.iter().map(|race| race.first_run).collect::<Vec<_>>(), [0, 1]);
        assert!(has_model(&mut engine, 0).await && has_model(&mut engine, 1).await);
        let ended =
            heard.iter().filter(|(event, _)| matches!(event, Event::JobEnded { job: JobKind::Train, .. })).count();
        assert_eq!(ended, 1, "the job ends with the last race");
    });
}

#[test]
fn a_sweep_keeps_the_best_model_alone_and_a_diverged_run_is_a_result() {
    pollster::block_on(async {
        let race =
            TrainSettings { arms: vec![Init::Inherited], clip_norm: 0.0, warmup_steps: 0, steps: 6, ..training() };
        let (mut engine, heard) = run(Design::Sweep { rates: vec![1e-3, 1e30], batches: vec![2] }, race).await;
        assert_eq!(error(&heard), None, "divergence is a result here");
        let report = races(&heard);
        let points = report.points();
        assert!(points[0].accuracy.is_some() && points[0].diverged == 0);
        assert_eq!((points[1].accuracy, points[1].diverged), (None, 1));
        let kept: Vec<bool> = report.races.iter().flat_map(|race| race.runs.iter().map(|run| run.has_model)).collect();
        assert_eq!(kept, [true, false]);
        assert!(has_model(&mut engine, 0).await && !has_model(&mut engine, 1).await);
    });
}

#[test]
fn shares_are_trained_on_fewer_pictures_and_refused_as_a_whole_when_one_race_cannot_be() {
    pollster::block_on(async {
        let settings = ExperimentSettings { race: short(), design: Design::Shares(vec![0.25, 1.0]) };
        let (mut engine, heard) = run(settings.design.clone(), settings.race.clone()).await;
        let report = races(&heard);
        // 8 training pictures: 2 steps of 4 are one pass over all, and four over a quarter.
        let epochs: Vec<f32> = report.races.iter().map(|race| race.runs[0].points.last().unwrap().epoch).collect();
        assert_eq!(epochs, [4.0, 1.0]);
        let speed = find(&heard, |event| if let Event::Speed(speed) = event { Some(*speed) } else { None });
        assert!(speed.is_some_and(|speed| speed > 0.0), "the machine was measured: {speed:?}");
        let too_deep = ExperimentSettings { design: Design::Family(vec![(3, 2), (3, 9)]), ..settings };
        let heard = engine.send(Command::Experiment(too_deep), Vec::new()).await;
        let sentence = "The descendant has `9` layers, the ancestor `2`: choose at most `2`.";
        assert_eq!(error(&heard).as_deref(), Some(sentence));
        assert!(find(&heard, |event| matches!(event, Event::Race(_)).then_some(())).is_none(), "nothing was begun");
    });
}

#[test]
fn progress_warms_up_first_and_then_tells_the_time_that_is_left() {
    pollster::block_on(async {
        let race = TrainSettings { steps: 200, validate_every: 100, augment: false, ..training() };
        let (_, heard) = run(Design::Race, race).await;
        let told: Vec<Progress> = heard
            .iter()
            .filter_map(|(event, _)| match event {
                Event::Progress(progress) if progress.job == JobKind::Train => Some(progress.clone()),
                _ => None,
            })
            .collect();
        assert!(told.first().is_some_and(|first| first.is_warming_up), "{:?}", told.first());
        let last = told.last().unwrap();
        assert!(!last.is_warming_up && last.seconds_left.is_some_and(|left| left >= 0.0), "{last:?}");
        assert_eq!(last.total, 400);
    });
}

#[test]
fn a_seed_raced_alone_gives_the_curve_it_has_among_others() {
    pollster::block_on(async {
        let race = |first_seed, seeds| TrainSettings { first_seed, seeds, ..short() };
        let curve = async |settings: TrainSettings| {
            let (_, heard) = run(Design::Race, settings).await;
            assert_eq!(error(&heard), None);
            let report =
                find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
            let of_seed_2 = report.runs.into_iter().filter(|run| run.seed == 2);
            of_seed_2.map(|run| (run.arm, run.points)).collect::<Vec<_>>()
        };
        let among_others = curve(race(1, 2)).await;
        assert_eq!(among_others.len(), 2);
        assert_eq!(curve(race(2, 1)).await, among_others);
    });
}
