//! How much of the ancestor is left before any training.

use burn::tensor::Device;
use heirloom_plan::protocol::*;

use super::{TestEngine, descendant, error, find};

on_every_engine! {
    async fn everything_survives_without_clusters_and_less_with_wider_ones(_device: Device) {
        let mut engine = TestEngine::with_everything_measured().await;
        let settings = DescendantSettings { heads: 4, ..descendant() };
        engine.send(Command::PlanDescendant(settings.into()), Vec::new()).await;
        let heard = engine.send(Command::Survive(settings), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let report = find(&heard, |event| if let Event::Survival(all) = event { Some(all.clone()) } else { None }).unwrap();
        assert!(report.pictures > 0 && report.settings == settings);
        assert!(report.points.windows(2).all(|pair| pair[0].eps < pair[1].eps && pair[0].heads >= pair[1].heads));
        let first = report.points.first().unwrap();
        assert_eq!((first.eps, first.heads, first.ffns), (0.0, 8, 2), "every head of both layers");
        for near in [first.plain, first.compensated] {
            assert!(near.cosine > 0.999 && near.error < 1e-3, "{near:?}");
        }
        let last = report.points.last().unwrap();
        assert!(last.heads < 8 && last.taken < first.taken, "{last:?}");
        assert!(last.plain.cosine < first.plain.cosine && last.plain.error > first.plain.error, "{last:?}");
        assert!(last.compensated.error < last.plain.error, "fitting cannot be worse on pictures like these: {last:?}");
    }
}
