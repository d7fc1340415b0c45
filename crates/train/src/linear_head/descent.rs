//! L-BFGS with halved steps, as a machine that says where it wants the loss and is told: whoever computes it may do so in
//! pieces.

/// Most steps of a descent.
const MOST_STEPS: usize = 200;
/// Most halvings of a step.
const MOST_HALVINGS: usize = 30;
/// A descent ends when no slope is steeper.
const FLAT: f64 = 1e-5;
/// Steps that the curvature is remembered from.
const MEMORY: usize = 10;

/// A descent under way.
pub struct Descent {
    at: Vec<f64>,
    gradient: Vec<f64>,
    loss: f64,
    past: Vec<Step>,
    line: Option<Line>,
    steps: usize,
}

/// A step that is being tried.
struct Line {
    direction: Vec<f64>,
    slope: f64,
    length: f64,
    halvings: usize,
    tried: Vec<f64>,
}

impl Descent {
    /// From a place on.
    pub fn new(at: Vec<f64>) -> Self {
        Self { gradient: Vec::new(), loss: f64::INFINITY, past: Vec::new(), line: None, steps: 0, at }
    }

    /// Where the loss is wanted next.
    pub fn wanted(&self) -> &[f64] {
        self.line.as_ref().map_or(&self.at, |line| &line.tried)
    }

    /// Takes the loss and the slopes at [`Descent::wanted`]; whether more are wanted.
    pub fn tell(&mut self, loss: f64, gradient: Vec<f64>) -> bool {
        let Some(mut line) = self.line.take() else {
            (self.loss, self.gradient) = (loss, gradient);
            return self.begin_line();
        };
        if loss <= self.loss + 1e-4 * line.length * line.slope {
            let step = Step::new(&self.at, &line.tried, &self.gradient, &gradient);
            self.past.extend(step);
            self.past.drain(..self.past.len().saturating_sub(MEMORY));
            (self.at, self.gradient, self.loss) = (line.tried, gradient, loss);
            self.steps += 1;
            return self.begin_line();
        }
        line.halvings += 1;
        // Below what f32 sums can tell nothing gets better any more.
        if line.halvings >= MOST_HALVINGS {
            return false;
        }
        line.length /= 2.0;
        line.tried = along(&self.at, line.length, &line.direction);
        self.line = Some(line);
        true
    }

    /// The best place so far.
    pub fn into_best(self) -> Vec<f64> {
        self.at
    }

    fn begin_line(&mut self) -> bool {
        if self.steps >= MOST_STEPS || self.gradient.iter().all(|slope| slope.abs() <= FLAT) {
            return false;
        }
        let direction = descend(&self.gradient, &self.past);
        let slope = inner(&direction, &self.gradient);
        if slope >= 0.0 {
            return false;
        }
        // The first step knows no curvature yet: a long one is cut, a short one would only cost a few more.
        let tried = along(&self.at, 1.0, &direction);
        self.line = Some(Line { direction, slope, length: 1.0, halvings: 0, tried });
        true
    }
}

fn along(from: &[f64], length: f64, direction: &[f64]) -> Vec<f64> {
    from.iter().zip(direction).map(|(from, step)| from + length * step).collect()
}

/// A step taken, and how the slopes changed on it.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    scale: f64,
}

impl Step {
    /// `None` where the curvature is not positive.
    fn new(from: &[f64], to: &[f64], before: &[f64], after: &[f64]) -> Option<Self> {
        let apart = |to: &[f64], from: &[f64]| to.iter().zip(from).map(|(to, from)| to - from).collect::<Vec<f64>>();
        let (moved, turned) = (apart(to, from), apart(after, before));
        let curvature = inner(&moved, &turned);
        (curvature > 1e-14).then(|| Self { moved, turned, scale: 1.0 / curvature })
    }
}

fn inner(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The way down, by the two loops of L-BFGS.
fn descend(gradient: &[f64], past: &[Step]) -> Vec<f64> {
    let add = |to: &mut [f64], factor: f64, other: &[f64]| {
        to.iter_mut().zip(other).for_each(|(to, other)| *to += factor * other);
    };
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut factors = Vec::with_capacity(past.len());
    for step in past.iter().rev() {
        let factor = step.scale * inner(&step.moved, &direction);
        add(&mut direction, -factor, &step.turned);
        factors.push(factor);
    }
    if let Some(last) = past.last() {
        let scale = 1.0 / (last.scale * inner(&last.turned, &last.turned));
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (step, factor) in past.iter().zip(factors.into_iter().rev()) {
        let back = step.scale * inner(&step.turned, &direction);
        add(&mut direction, factor - back, &step.moved);
    }
    direction
}

#[cfg(test)]
mod tests {
    use super::Descent;

    #[test]
    fn a_curved_valley_is_followed_to_its_lowest_point() {
        // Rosenbrock's function, from his start.
        let loss = |at: &[f64]| (1.0 - at[0]).powi(2) + 100.0 * (at[1] - at[0] * at[0]).powi(2);
        let slopes = |at: &[f64]| {
            let across = at[1] - at[0] * at[0];
            vec![-2.0 * (1.0 - at[0]) - 400.0 * at[0] * across, 200.0 * across]
        };
        let mut descent = Descent::new(vec![-1.2, 1.0]);
        let mut told = 0;
        loop {
            told += 1;
            let at = descent.wanted().to_vec();
            if !descent.tell(loss(&at), slopes(&at)) {
                break;
            }
        }
        let best = descent.into_best();
        assert!(best.iter().all(|value| (value - 1.0).abs() < 1e-4), "{best:?}");
        assert!(told < 100, "{told} losses");
    }
}
