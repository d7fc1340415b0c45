//! A drawing as strokes, so that each can be taken back.

use std::f64::consts::TAU;

use web_sys::CanvasRenderingContext2d;

/// Side of the pad, px of its canvas.
pub const SIDE: f64 = 280.0;
/// Pen width at first, px: about as thick as the lines of well-known doodle sets.
const WIDTH: f64 = 14.0;
/// How far an arrow key moves the pen, px.
const KEY_STEP: f64 = 10.0;
const DARK: &str = "#000000";
const LIGHT: &str = "#ffffff";

struct Stroke {
    width: f64,
    points: Vec<(f64, f64)>,
}

/// Strokes, and the pen that draws the next one.
pub struct Drawing {
    strokes: Vec<Stroke>,
    /// Width of the pen, px.
    pub width: f64,
    /// White on black, as Fashion-MNIST has it.
    pub is_light_on_dark: bool,
    /// The pen is on the paper.
    pub is_down: bool,
    at: (f64, f64),
}

impl Default for Drawing {
    fn default() -> Self {
        let at = (SIDE / 2.0, SIDE / 2.0);
        Self { strokes: Vec::new(), width: WIDTH, is_light_on_dark: false, is_down: false, at }
    }
}

impl Drawing {
    /// Whether nothing is drawn.
    pub fn is_empty(&self) -> bool {
        self.strokes.is_empty()
    }

    /// Puts the pen down.
    pub fn begin(&mut self, at: (f64, f64)) {
        self.at = at;
        self.is_down = true;
        self.strokes.push(Stroke { width: self.width, points: vec![at] });
    }

    /// Moves the pen; it draws when it is down.
    pub fn go_to(&mut self, at: (f64, f64)) {
        self.at = at;
        if let (true, Some(stroke)) = (self.is_down, self.strokes.last_mut()) {
            stroke.points.push(at);
        }
    }

    /// Lifts the pen.
    pub fn end(&mut self) {
        self.is_down = false;
    }

    /// Takes back the last stroke.
    pub fn undo(&mut self) {
        self.is_down = false;
        self.strokes.pop();
    }

    /// Takes back all.
    pub fn clear(&mut self) {
        self.is_down = false;
        self.strokes.clear();
    }

    /// Arrow keys move the pen, space puts it down and lifts it. `None` for other keys; else whether a stroke ended.
    pub fn key(&mut self, key: &str) -> Option<bool> {
        let (x, y) = self.at;
        let kept = |place: f64| place.clamp(0.0, SIDE);
        match key {
            "ArrowLeft" => self.go_to((kept(x - KEY_STEP), y)),
            "ArrowRight" => self.go_to((kept(x + KEY_STEP), y)),
            "ArrowUp" => self.go_to((x, kept(y - KEY_STEP))),
            "ArrowDown" => self.go_to((x, kept(y + KEY_STEP))),
            " " if self.is_down => {
                self.end();
                return Some(true);
            }
            " " => self.begin(self.at),
            _ => return None,
        }
        Some(false)
    }

    /// An empty sheet.
    pub fn paper(&self, pen: &CanvasRenderingContext2d, side: f64) {
        pen.set_fill_style_str(if self.is_light_on_dark { DARK } else { LIGHT });
        pen.fill_rect(0.0, 0.0, side, side);
    }

    /// All strokes, with round ends; a stroke of one point is a dot.
    pub fn ink(&self, pen: &CanvasRenderingContext2d) {
        let ink = if self.is_light_on_dark { LIGHT } else { DARK };
        pen.set_stroke_style_str(ink);
        pen.set_line_cap("round");
        pen.set_line_join("round");
        for stroke in &self.strokes {
            let Some((first, rest)) = stroke.points.split_first() else { continue };
            pen.set_line_width(stroke.width);
            pen.begin_path();
            pen.move_to(first.0, first.1);
            if rest.is_empty() {
                pen.line_to(first.0, first.1);
            }
            rest.iter().for_each(|point| pen.line_to(point.0, point.1));
            pen.stroke();
        }
    }

    /// A ring where the keyboard's pen is, thicker while it draws.
    pub fn paint_pen(&self, pen: &CanvasRenderingContext2d) {
        for (colour, width) in [(LIGHT, 5.0), (DARK, 2.0)] {
            pen.set_stroke_style_str(colour);
            pen.set_line_width(if self.is_down { width + 1.0 } else { width });
            pen.begin_path();
            // A radius that is refused draws no ring.
            let _ = pen.arc(self.at.0, self.at.1, self.width / 2.0 + 4.0, 0.0, TAU);
            pen.stroke();
        }
    }
}
