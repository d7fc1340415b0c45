//! What the page works out by itself: clusters, the planned descendant, and how long training will take. All of it is
//! plain arithmetic of `heirloom_plan`, the same that the engine does, so that a slider answers within a frame and no
//! message is sent while it moves. The engine is told once what was decided, for training and for the project.

use leptos::prelude::*;

use heirloom_plan::cluster::{ClusterSettings, Clusters, cluster_report};
use heirloom_plan::descendant::Basis;
use heirloom_plan::layers::layer_names;
use heirloom_plan::protocol::{
    AncestorSummary, ClusterReport, DescendantPlan, DescendantSummary, HeadsReport, Method, PicturesSummary,
    TiedReport, sentence,
};
use heirloom_plan::settings::Settings;

/// What plans are made from. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
pub struct Inputs {
    pub ancestor: RwSignal<Option<AncestorSummary>>,
    pub pictures: RwSignal<Option<PicturesSummary>>,
    pub heads: RwSignal<Option<HeadsReport>>,
    pub tied: RwSignal<Option<TiedReport>>,
    pub settings: RwSignal<Settings>,
    /// Operations a second that this machine reaches.
    pub speed: RwSignal<Option<f64>>,
}

/// What follows from them.
#[derive(Clone, Copy)]
pub struct Plans {
    pub clusters: Memo<Option<ClusterReport>>,
    pub descendant: Memo<Option<DescendantSummary>>,
    /// Why one of them cannot be had, a sentence.
    pub fault: Memo<Option<String>>,
    /// Pictures of each class, to train and to judge on.
    pub classes: Memo<Vec<[usize; 2]>>,
    /// What the engine is to know.
    pub decided: Memo<Told>,
    /// A slider is being dragged: nothing is decided yet.
    pub is_sliding: RwSignal<bool>,
    pub told: StoredValue<Told>,
}

/// The person's decisions, as far as the engine needs them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub clusters: Option<ClusterSettings>,
    /// With the number of classes it was planned for.
    pub plan: Option<(DescendantPlan, usize)>,
}

/// A result, or nothing while there is nothing to make it from.
type Made<T> = Option<Result<T, String>>;

impl Plans {
    /// Follows the inputs.
    pub fn new(inputs: Inputs) -> Self {
        let Inputs { ancestor, pictures, heads, tied, settings, speed } = inputs;
        let clustering = Memo::new(move |_| {
            let size = heads.with(|heads| heads.as_ref().map(|heads| heads.image_size))?;
            Some(settings.with(|settings| settings.clusters(size)))
        });
        let clustered =
            Memo::new(move |_| ancestor.with(|a| heads.with(|h| cluster(a.as_ref()?, h.as_ref()?, clustering.get()?))));
        let clusters = Memo::new(move |_| clustered.get().and_then(Result::ok));
        let classes = Memo::new(move |_| pictures.with(|pictures| pictures.as_ref().map(counts).unwrap_or_default()));
        let planning = Memo::new(move |_| {
            let of =
                |one: &AncestorSummary| (layer_names(&one.config).len(), one.config.patch_size(), one.name.clone());
            let (depth, patch, name) = ancestor.with(|ancestor| ancestor.as_ref().map(of))?;
            settings.with(|settings| {
                let is_condensed = match settings.tying() {
                    Some(tying) => tied.with(|tied| tied.as_ref().is_some_and(|tied| tied.fits(tying, &name))),
                    None if settings.method == Method::Layers => !settings.chosen.is_empty(),
                    None => clusters.with(Option::is_some),
                };
                is_condensed.then(|| settings.descendant(depth, patch))
            })
        });
        let planned = Memo::new(move |_| -> Made<DescendantSummary> {
            let plan = planning.get()?;
            let clusters = clusters.with(|clusters| clusters.as_ref().map(ClusterReport::clusters));
            let (pictures, flops_per_second) = (classes.get(), speed.get());
            ancestor.with(|ancestor| {
                let ancestor = ancestor.as_ref().map(|ancestor| &ancestor.config);
                let basis = Basis { ancestor, clusters: clusters.as_ref(), pictures: &pictures, flops_per_second };
                Some(basis.summary(&plan).map_err(sentence))
            })
        });
        let fault = Memo::new(move |_| {
            clustered.with(|made| made.as_ref()?.as_ref().err().cloned()).or_else(|| planned.get()?.err())
        });
        let descendant = Memo::new(move |_| planned.get().and_then(Result::ok));
        let decided = Memo::new(move |_| Told {
            clusters: clusters.with(|clusters| clusters.as_ref().map(|clusters| clusters.settings)),
            plan: descendant.with(|planned| Some((planned.as_ref()?.settings.clone(), classes.with(Vec::len)))),
        });
        Self {
            clusters,
            descendant,
            fault,
            classes,
            decided,
            is_sliding: RwSignal::new(false),
            told: StoredValue::default(),
        }
    }
}

fn cluster(ancestor: &AncestorSummary, heads: &HeadsReport, settings: ClusterSettings) -> Made<ClusterReport> {
    let vit = ancestor.config.vit()?;
    let clusters = Clusters::from_distances(&heads.distance, &settings);
    Some(clusters.map(|clusters| cluster_report(vit, &clusters, settings)).map_err(sentence))
}

/// Pictures of each class; zeros while they are too few to be divided.
fn counts(pictures: &PicturesSummary) -> Vec<[usize; 2]> {
    let count = |class: &heirloom_plan::protocol::ClassCount| match pictures.split {
        Some(_) => [class.train, class.validation],
        None => [0, 0],
    };
    pictures.classes.iter().map(count).collect()
}
