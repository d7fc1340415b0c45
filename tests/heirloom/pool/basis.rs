//! The basis that all small models share.

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::Matrix;
use heirloom_learngene::pool::{
    Basis, BasisError, BasisPlan, Coordinates, PlaceMoments, SharedBasis, TokenSums, watch,
};
use heirloom_learngene::stitch::{AffineFit, StitchNet};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::vit::{HostTensor, Vit, VitConfig, Weights};

use super::{model_config, pictures};
use crate::support::assert_close;
use crate::train::models::Lively;

/// Width of the ancestor, and of what its tokens really span.
const WIDTH: usize = 12;
const SPAN: usize = 4;

fn matrix(rows: usize, columns: usize, seed: u32) -> Matrix {
    Matrix::from_f32(rows, columns, &uniform(rows * columns, seed, 1.0))
}

fn distance(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!((a.rows, a.columns), (b.rows, b.columns));
    a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn plan(coordinates: Coordinates) -> BasisPlan {
    BasisPlan { coordinates, seed: 5, ancestor_width: WIDTH, widest: 8 }
}

/// Planted moments behind three blocks.
fn moments() -> Vec<PlaceMoments> {
    let moments = |seed| {
        let spread = matrix(20, WIDTH, seed);
        let covariance = spread.transposed().times(&spread).scaled(1.0 / 20.0);
        let variance = covariance.values.iter().step_by(WIDTH + 1).sum::<f64>() / WIDTH as f64;
        let mean = matrix(1, WIDTH, seed + 1).values;
        PlaceMoments { mean, variance, covariance: Some(covariance) }
    };
    [1, 3, 5].map(moments).into()
}

fn found(coordinates: Coordinates) -> SharedBasis {
    SharedBasis::find(plan(coordinates), moments()).unwrap()
}

/// The same without covariances, as they come where nothing asks for principal axes.
fn random(coordinates: Coordinates) -> SharedBasis {
    let moments = moments().into_iter().map(|place| PlaceMoments { covariance: None, ..place });
    SharedBasis::find(plan(coordinates), moments.collect()).unwrap()
}

/// `fit` of the columns of `x`.
fn applied(fit: &AffineFit, x: &Matrix) -> Matrix {
    let mut y = fit.weight.times(x);
    for (row, bias) in y.values.chunks_mut(x.columns).zip(&fit.bias) {
        row.iter_mut().for_each(|value| *value += bias);
    }
    y
}

#[test]
fn maps_are_orthonormal_nested_and_the_same_at_every_place() {
    for basis in [found(Coordinates::of(Basis::Pca)), random(Coordinates::of(Basis::Random))] {
        let wide = basis.map(8, 0);
        assert!(distance(&wide.times(&wide.transposed()), &Matrix::identity(8)) < 1e-6);
        assert_eq!(basis.map(4, 2).values, wide.values[..4 * WIDTH]);
        assert_eq!(basis.map(8, 1), wide);
    }
}

#[test]
fn principal_axes_come_by_what_they_tell_and_a_wider_model_than_the_ancestor_has_zeros() {
    let wide = BasisPlan { widest: 16, ..plan(Coordinates::of(Basis::Pca)) };
    let basis = SharedBasis::find(wide, moments()).unwrap();
    let map = basis.map(16, 0);
    assert!(map.values[WIDTH * WIDTH..].iter().all(|value| *value == 0.0));
    let mut total = Matrix::zeros(WIDTH, WIDTH);
    for PlaceMoments { variance, covariance, .. } in moments() {
        total.add(&covariance.unwrap().scaled(1.0 / variance));
    }
    let axes = basis.map(WIDTH, 0);
    let along = axes.times(&total).times(&axes.transposed());
    let told: Vec<f64> = along.values.iter().step_by(WIDTH + 1).copied().collect();
    assert!(told.windows(2).all(|two| two[0] > two[1]), "{told:?}");
    let beside = (0..WIDTH * WIDTH).filter(|at| at % (WIDTH + 1) != 0).map(|at| along.values[at].abs());
    assert!(beside.fold(0.0, f64::max) < 1e-5, "they are no axes of it");
    // Each place counts alike: mean squares of standardised tokens are 1.
    assert!((told.iter().sum::<f64>() - (3 * WIDTH) as f64).abs() < 1e-4);
}

#[test]
fn what_a_front_writes_an_end_reads_where_both_hold_the_ancestors_tokens() {
    let basis = found(Coordinates::of(Basis::Pca));
    let [front, end] = [4, 8];
    // Tokens within what the front can hold, behind block 1 and then behind block 2: the coordinates are the same.
    let hidden = basis.map(front, 0).transposed().times(&matrix(front, 30, 9));
    let tokens = |place: usize| {
        let PlaceMoments { mean, variance, .. } = moments()[place].clone();
        let mut tokens = hidden.clone().scaled(variance.sqrt());
        for (row, mean) in tokens.values.chunks_mut(30).zip(&mean) {
            row.iter_mut().for_each(|value| *value += mean);
        }
        tokens
    };
    let written = applied(&basis.listening(front, 1), &tokens(1));
    let expected = applied(&basis.listening(end, 2), &tokens(2));
    let stitch = basis.stitch([front, end], [1, 2]);
    assert!(distance(&applied(&stitch, &written), &expected) < 1e-5);
    // Q_E Q_Fᵀ is padding, exactly.
    let product = basis.map(end, 2).times(&basis.map(front, 1).transposed());
    assert!(distance(&product, &stitch.weight) < 1e-6);
    assert!(
        stitch
            .weight
            .values
            .iter()
            .enumerate()
            .all(|(at, value)| *value == f64::from(u8::from(at % 5 == 0 && at < 16)))
    );
    assert_eq!(basis.stitch([8, 8], [0, 0]).weight, Matrix::identity(8));
    // Of any tokens the front's coordinates arrive, and nothing else.
    let any = matrix(WIDTH, 30, 11);
    let read = applied(&stitch, &applied(&basis.listening(front, 1), &any));
    let expected = applied(&basis.listening(end, 1), &any);
    assert!(read.values[..front * 30].iter().zip(&expected.values).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!(read.values[front * 30..].iter().all(|value| *value == 0.0));
}

#[test]
fn each_part_of_a_shared_basis_can_be_left_out() {
    let whole = Coordinates::of(Basis::Pca);
    let untied = found(Coordinates { is_tied: false, ..whole });
    assert!(distance(&untied.map(8, 0), &untied.map(8, 1)) > 0.1);
    let turned = found(Coordinates { is_nested: false, ..whole });
    let map = turned.map(4, 0);
    assert!(distance(&map, &found(whole).map(4, 0)) > 0.1);
    // The same plane, looked at another way round: what a front writes still arrives in full.
    let stitch = turned.stitch([4, 8], [0, 0]).weight;
    assert!(distance(&stitch.transposed().times(&stitch), &Matrix::identity(4)) < 1e-6);
    let own = random(Coordinates { is_nested: false, ..Coordinates::of(Basis::Random) });
    let stitch = own.stitch([4, 8], [0, 0]).weight;
    assert!(distance(&stitch.transposed().times(&stitch), &Matrix::identity(4)) > 0.1, "random planes differ");
    assert_eq!(own.map(4, 0), own.map(4, 0));
    let raw = found(Coordinates { is_standardised: false, ..whole });
    assert_eq!(raw.listening(4, 1).bias, [0.0; 4]);
    assert_eq!(raw.listening(4, 1).weight, raw.map(4, 1));
}

#[test]
fn tokens_that_are_no_numbers_have_no_basis_and_tokens_that_never_differ_are_not_divided_by_zero() {
    let plan = plan(Coordinates::of(Basis::Pca));
    let mut broken = moments();
    broken[1].mean[3] = f64::NAN;
    assert_eq!(SharedBasis::find(plan, broken), Err(BasisError::NotFinite));
    let mut broken = moments();
    broken[2].covariance.as_mut().unwrap().values[1] = f64::INFINITY;
    assert_eq!(SharedBasis::find(plan, broken), Err(BasisError::NotFinite));
    let still = PlaceMoments { mean: vec![2.0; WIDTH], variance: 0.0, covariance: Some(Matrix::zeros(WIDTH, WIDTH)) };
    let basis = SharedBasis::find(plan, vec![still]).unwrap();
    let listening = basis.listening(8, 0);
    assert!(listening.weight.values.iter().chain(&listening.bias).all(|value| value.is_finite()));
}

/// A model whose blocks pass their tokens on, so that all its tokens are `fit` of the ancestor's embedding.
struct Passing {
    fit: AffineFit,
    seed: u32,
}

/// The ancestor's embedding: within [`SPAN`] directions, one of them far from 0.
fn embedding(key: &str, columns: usize) -> Matrix {
    let seed = key.bytes().map(u32::from).sum();
    matrix(WIDTH, SPAN, 77).times(&matrix(SPAN, columns, seed))
}

impl Weights for Passing {
    type Error = std::convert::Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Self::Error> {
        let count: usize = shape.iter().product();
        let width = self.fit.weight.rows;
        let values = match key {
            "patch_embed.proj.weight" => self.fit.weight.times(&embedding(key, count / width)).to_f32(),
            "patch_embed.proj.bias" | "cls_token" => applied(&self.fit, &embedding(key, 1)).to_f32(),
            "pos_embed" => self.fit.weight.times(&embedding(key, count / width)).transposed().to_f32(),
            _ if key.contains("attn.proj.") || key.contains("mlp.fc2.") => vec![0.0; count],
            _ => return Lively { seed: self.seed }.tensor(key, shape).await,
        };
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

async fn passing(config: &VitConfig, fit: AffineFit, device: &Device) -> Vit {
    let Ok(model) = Vit::load(config, &mut Passing { fit, seed: 300 + config.embed_dim as u32 }, device).await;
    model
}

on_every_engine! {
    async fn sums_give_mean_variance_and_covariance_beside_a_channel_far_from_zero(device: Device) {
        let mut values = uniform(60 * 3, 7, 1.0);
        values.iter_mut().step_by(3).for_each(|value| *value += 500.0);
        let rows: Vec<Vec<f64>> = values.chunks(3).map(|row| row.iter().map(|&value| f64::from(value)).collect()).collect();
        let mut sums = TokenSums::default();
        for batch in values.chunks(90) {
            let tokens = Tensor::<3>::from_data(TensorData::new(batch.to_vec(), [2, 15, 3]), &device);
            sums.add(vec![tokens.clone(), tokens], true).await.unwrap();
        }
        let found = sums.finish().await.unwrap();
        assert_eq!((found.len(), &found[0]), (2, &found[1]));
        let PlaceMoments { mean, variance, covariance } = &found[0];
        let mean_of = |of: &dyn Fn(&Vec<f64>) -> f64| rows.iter().map(of).sum::<f64>() / 60.0;
        let expected: Vec<f64> = (0..3).map(|at| mean_of(&|row| row[at])).collect();
        assert!(mean.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{mean:?}, expected {expected:?}");
        let of = |a: usize, b: usize| mean_of(&|row| (row[a] - expected[a]) * (row[b] - expected[b]));
        for at in 0..9 {
            let found = covariance.as_ref().unwrap().values[at];
            assert!((found - of(at / 3, at % 3)).abs() < 1e-4, "{at}: {found}, expected {}", of(at / 3, at % 3));
        }
        assert!((variance - (of(0, 0) + of(1, 1) + of(2, 2)) / 3.0).abs() < 1e-4);
    }

    async fn models_that_hold_the_ancestors_tokens_are_stitched_without_a_loss(device: Device) {
        let as_it_is = AffineFit::linear_map(Matrix::identity(WIDTH));
        let ancestor = passing(&VitConfig { classes: None, ..model_config(3, WIDTH) }, as_it_is, &device).await;
        let mut sums = TokenSums::default();
        for _ in 0..2 {
            sums.add(watch(&ancestor, &[0, 1, 2], pictures(12, &device)).tokens, true).await.unwrap();
        }
        let basis = SharedBasis::find(plan(Coordinates::of(Basis::Pca)), sums.finish().await.unwrap()).unwrap();

        // In its coordinates tokens have mean 0 and mean square 1, a wide model's beyond the span nothing.
        let fit = basis.listening(8, 1);
        let tokens = watch(&ancestor, &[1], pictures(12, &device)).tokens.remove(0);
        let coordinates = read(fit.linear(&device).forward(tokens)).await.unwrap();
        let rows = coordinates.len() as f32 / 8.0;
        let square = coordinates.iter().map(|value| value * value).sum::<f32>() / rows;
        assert!((square / WIDTH as f32 - 1.0).abs() < 1e-3, "{square}");
        for channel in 0..8 {
            let mean = coordinates.iter().skip(channel).step_by(8).sum::<f32>() / rows;
            assert!(mean.abs() < 1e-3, "{channel}: {mean}");
        }
        let beyond = coordinates.chunks(8).flat_map(|row| &row[SPAN..]).fold(0.0, |most: f32, value| most.max(value.abs()));
        assert!(beyond < 1e-3, "{beyond}");

        let mut anchors = Vec::new();
        for width in [4, 8] {
            anchors.push(passing(&model_config(3, width), basis.listening(width, 0), &device).await);
        }
        let net = StitchNet::new(anchors, &device).unwrap();
        let fits: Vec<AffineFit> = net.widths().into_iter().map(|widths| basis.stitch(widths, [0, 0])).collect();
        let net = net.start(&fits, &device);
        let whole = net.configurations().len() - 1;
        let expected = read(net.logits(whole, pictures(3, &device))).await.unwrap();
        for configuration in 1..whole {
            let found = read(net.logits(configuration, pictures(3, &device))).await.unwrap();
            assert_close(&found, &expected, 2e-3);
        }
        assert_ne!(read(net.logits(0, pictures(3, &device))).await.unwrap(), expected);
    }
}
