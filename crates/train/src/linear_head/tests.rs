//! Fits of planted rows.

use super::*;

fn noise(count: usize, seed: u32) -> Vec<f32> {
    heirloom_nn::device::uniform(count, seed, 1.0)
}

fn features(values: &[f32], labels: &[usize], classes: usize) -> Features {
    let width = values.len().checked_div(labels.len()).unwrap_or(1);
    let mut all = Features::new(width, classes, labels.len()).unwrap();
    all.push(values, labels);
    all
}

fn ended(mut fit: LinearFit) -> (LinearHead, LinearFit) {
    loop {
        if let Some(head) = fit.advance() {
            return (head, fit);
        }
    }
}

fn fit(values: &[f32], labels: &[usize], classes: usize) -> LinearHead {
    ended(LinearFit::new(vec![features(values, labels, classes)])).0
}

fn right(head: &LinearHead, features: &[f32], labels: &[usize]) -> usize {
    let (classes, width) = (head.bias.len(), head.weight.len() / head.bias.len());
    let guess = |row: &[f32]| {
        let score = |class: usize| {
            let own = &head.weight[class * width..];
            head.bias[class] + row.iter().zip(own).map(|(x, w)| x * w).sum::<f32>()
        };
        (0..classes).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap()
    };
    features.chunks(width).zip(labels).filter(|(row, label)| guess(row) == **label).count()
}

/// Rows around a centre for each class, in units that differ a thousandfold and lie far from 0.
fn planted(rows: usize, width: usize, classes: usize, spread: f32) -> (Vec<f32>, Vec<usize>) {
    let (centres, noise) = (noise(classes * width, 1), noise(rows * width, 2));
    let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
    let value = |at: usize| {
        let (row, column) = (at / width, at % width);
        let unit = [1.0, 1000.0, 0.001][column % 3];
        unit * (5.0 + centres[labels[row] * width + column] + spread * noise[at])
    };
    ((0..rows * width).map(value).collect(), labels)
}

#[test]
fn classes_that_are_apart_are_told_apart_in_any_units() {
    let (features, labels) = planted(90, 7, 3, 0.2);
    assert_eq!(right(&fit(&features, &labels, 3), &features, &labels), 90);
}

#[test]
fn what_is_held_out_is_counted_with_the_fit_that_was_chosen() {
    let (values, labels) = planted(90, 7, 3, 0.2);
    assert_eq!(fit(&values, &labels, 3).held_out, Some([90, 90]));
    let (noisy, _) = planted(100, 40, 2, 1.0);
    let coin: Vec<usize> = (0..100).map(|row| (row * row + row / 7) % 2).collect();
    let [right, all] = fit(&noisy, &coin, 2).held_out.unwrap();
    assert!(all == 100 && (25..=75).contains(&right), "{right} of {all} throws of a coin");
    assert_eq!(fit(&values[..2 * 7], &labels[..2], 3).held_out, None);
}

#[test]
fn the_slopes_of_a_fit_vanish() {
    let (values, labels) = planted(61, 5, 4, 2.0);
    let (head, fit) = ended(LinearFit::new(vec![features(&values, &labels, 4)]));
    let parts = &fit.kinds[0].parts;
    let (mut slopes, rows) = (vec![0.0; 24], labels.len() as f64);
    let narrow: Vec<f32> = fit.weights.iter().map(|&weight| weight as f32).collect();
    for Rows { values, labels } in parts {
        let mut own = vec![0.0; 24];
        logistic_loss(values, labels, &narrow, &mut own);
        slopes.iter_mut().zip(own).for_each(|(sum, slope)| *sum += slope * labels.len() as f64 / rows);
    }
    for (at, (slope, weight)) in slopes.iter_mut().zip(&fit.weights).enumerate() {
        *slope += if at % 6 < 5 { head.penalty * weight } else { 0.0 };
    }
    assert!(slopes.iter().all(|slope| slope.abs() < 3e-5), "{slopes:?}");
}

#[test]
fn noise_is_punished_and_what_is_clear_is_not() {
    let (noisy, _) = planted(100, 40, 2, 1.0);
    let coin: Vec<usize> = (0..100).map(|row| (row * row + row / 7) % 2).collect();
    let (clear, labels) = planted(100, 40, 2, 0.1);
    assert!(fit(&noisy, &coin, 2).penalty > fit(&clear, &labels, 2).penalty);
}

#[test]
fn the_kind_of_features_that_tells_held_out_pictures_apart_is_chosen() {
    let (clear, labels) = planted(60, 9, 3, 0.2);
    let blurred = noise(60 * 9, 5);
    for (kinds, expected) in [([&blurred, &clear], 1), ([&clear, &blurred], 0), ([&clear, &clear], 0)] {
        let kinds = kinds.map(|values| features(values, &labels, 3));
        let (head, fit) = ended(LinearFit::new(kinds.to_vec()));
        assert_eq!(head.kind, expected);
        assert_eq!(right(&head, &clear, &labels), 60);
        assert_eq!(fit.done(), fit.total());
    }
    // Too few to hold one of a class out: the first.
    let few = [&blurred, &clear].map(|values| features(&values[..4 * 9], &labels[..4], 3));
    assert_eq!(ended(LinearFit::new(few.to_vec())).0.kind, 0);
}

#[test]
fn few_pictures_missing_classes_and_features_that_never_change_are_no_fault() {
    let (mut values, labels) = planted(4, 6, 2, 0.1);
    values.iter_mut().skip(2).step_by(6).for_each(|value| *value = 3.0);
    // A third class has no picture.
    let head = fit(&values, &labels, 3);
    assert_eq!(head.penalty, PENALTIES[USUAL]);
    assert_eq!(right(&head, &values, &labels), 4);
    assert!(head.weight.iter().chain(&head.bias).all(|value| value.is_finite()));
    assert!((0..3).all(|class| head.weight[class * 6 + 2] == 0.0));
    assert_eq!(fit(&[], &[], 2).bias, [0.0, 0.0]);
}

#[test]
fn a_large_fit_comes_in_many_pieces_and_gives_the_same_head_every_time() {
    let (values, labels) = planted(3000, 64, 8, 1.5);
    let mut under_way = LinearFit::new(vec![features(&values, &labels, 8)]);
    let (mut pieces, mut done) = (1, 0);
    let head = loop {
        let before = under_way.work();
        if let Some(head) = under_way.advance() {
            break head;
        }
        let spent = under_way.work() - before;
        assert!(spent <= 1.1 * PIECE as f64, "{spent} multiplications in a piece");
        assert!(under_way.done() >= done, "progress goes forward");
        (pieces, done) = (pieces + 1, under_way.done());
    };
    assert!(pieces > 3, "{pieces}");
    // What the forecast of a race reckons with (`plan::forecast`) is the right order of magnitude.
    let losses = under_way.work() / (2 * labels.len() * 8 * 65) as f64;
    assert!((100.0..900.0).contains(&losses), "{losses} losses of all pictures");
    assert_eq!(fit(&values, &labels, 8), head);
}

#[test]
fn kept_features_are_the_same_again_and_wrong_ones_are_refused() {
    let (values, labels) = planted(23, 4, 3, 1.0);
    let all = features(&values, &labels, 3);
    let parts = all.parts().each_ref().map(|part| part.labels.len());
    assert_eq!((all.pictures(), parts), (23, [6, 6, 5, 3, 3]), "of 8, 8 and 7 pictures");
    let again = |width, classes, all: &Features| {
        Features::from_parts(width, classes, all.parts().to_vec(), all.standard().cloned())
    };
    assert_eq!(again(4, 3, &all), Some(all.clone()));
    assert_eq!(again(5, 3, &all), None);
    assert_eq!(again(4, 2, &all), None, "a class that is not there");
    // Kept in the middle of a fit, they give the same head.
    let (head, ended_fit) = ended(LinearFit::new(vec![all]));
    let kept = again(4, 3, &ended_fit.kinds()[0]).unwrap();
    assert_eq!(ended(LinearFit::new(vec![kept])).0, head);
    let (narrow, labels) = planted(23, 3, 3, 1.0);
    let (_, other) = ended(LinearFit::new(vec![features(&narrow, &labels, 3)]));
    let parts = ended_fit.kinds()[0].parts().to_vec();
    assert_eq!(Features::from_parts(4, 3, parts, other.kinds()[0].standard().cloned()), None, "another width");
}
