//! Charts as SVG files, that read on light and on dark paper and without colours.

use crate::marks::{self, SHAPES};
use crate::{Scale, bounds, polyline};
use std::fmt::Write;

/// Colours of the page (`static/style.css`), on light and on dark paper.
const COLOURS: [(&str, &str); 8] = [
    ("#0b6e4f", "#5fc8a0"),
    ("#5d574e", "#aaa396"),
    ("#c45100", "#f08c3a"),
    ("#b0458a", "#dc8fc0"),
    ("#8a6d00", "#d8c04a"),
    ("#0072b2", "#56b4e9"),
    ("#6b4fa0", "#b39ddb"),
    ("#3f7fb8", "#8fb7dd"),
];
/// Width of all pictures, px.
const WIDTH: f64 = 720.0;
/// Height of the part with the axes, px.
const HEIGHT: f64 = 360.0;
/// Left, top, right and bottom of the plot, px.
const PLOT: [f64; 4] = [64.0, 44.0, 700.0, 306.0];
/// Width of a letter of the legend, px, about.
const LETTER: f64 = 7.2;
const LEGEND_LINE: f64 = 22.0;

/// An axis.
pub struct Axis {
    /// What it shows, with its unit.
    pub title: String,
    /// Places of the ticks with their words; empty = round numbers.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Round numbers.
    pub fn numbers(title: &str) -> Self {
        Self { title: title.to_owned(), ticks: Vec::new() }
    }
}

/// A point with the range of its seeds.
#[derive(Clone, Copy)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Mean.
    pub y: f64,
    /// Lowest and highest.
    pub range: (f64, f64),
}

/// Points that belong together.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Which colour and shape: the same start has the same in all pictures.
    pub style: usize,
    /// From left to right.
    pub points: Vec<Point>,
    /// Whether a line joins the points; else each has a whisker.
    pub is_line: bool,
}

/// A picture.
pub struct Chart {
    /// What it is.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Drawn in this order.
    pub series: Vec<Series>,
}

impl Chart {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }

    /// The picture as a file.
    pub fn svg(&self) -> String {
        let legend = self.legend();
        let lines = legend.iter().map(|(_, y)| *y).fold(0.0, f64::max);
        let height = HEIGHT + lines + LEGEND_LINE;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
             <title>{}</title>\n{}",
            escaped(&self.title),
            style()
        );
        let _ = writeln!(out, "<text class=\"title\" x=\"{}\" y=\"24\">{}</text>", PLOT[0], escaped(&self.title));
        let (x, y) = self.scales();
        self.axes(&mut out, x, y);
        for series in &self.series {
            draw(&mut out, series, x, y);
        }
        for (series, (left, below)) in self.series.iter().zip(&legend) {
            let (cx, cy) = (left + 8.0, HEIGHT + below + 4.0);
            let mark = marks::path(series.style, cx, cy, 5.0);
            let _ = writeln!(out, "<path class=\"{} mark\" d=\"{mark}\"/>", class(series.style));
            let _ =
                writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", cx + 12.0, cy + 4.5, escaped(&series.name));
        }
        out.push_str("</svg>\n");
        out
    }

    /// Places of the legend's entries, from the left edge and below the axes.
    fn legend(&self) -> Vec<(f64, f64)> {
        let (mut left, mut below) = (PLOT[0], 0.0);
        let place = |series: &Series| {
            let width = 34.0 + LETTER * series.name.chars().count() as f64;
            if left + width > WIDTH && left > PLOT[0] {
                (left, below) = (PLOT[0], below + LEGEND_LINE);
            }
            let at = (left, below);
            left += width;
            at
        };
        self.series.iter().map(place).collect()
    }

    fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let ticks = |axis: &Axis| axis.ticks.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let across = bounds(points().map(|point| point.x).chain(ticks(&self.x)));
        let upwards = bounds(points().flat_map(|point| [point.range.0, point.range.1, point.y]).chain(ticks(&self.y)));
        let room = 0.04 * (upwards.1 - upwards.0);
        let side = if self.x.ticks.is_empty() { 0.02 } else { 0.06 } * (across.1 - across.0);
        let x = Scale::new((across.0 - side, across.1 + side), (PLOT[0], PLOT[2]));
        (x, Scale::new((upwards.0 - room, upwards.1 + room), (PLOT[3], PLOT[1])))
    }

    fn axes(&self, out: &mut String, x: Scale, y: Scale) {
        let [left, top, right, bottom] = PLOT;
        for (at, word) in ticks(&self.y, y) {
            let at = y.at(at);
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>");
            let _ = writeln!(out, "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{word}</text>", left - 8.0, at + 4.0);
        }
        for (at, word) in ticks(&self.x, x) {
            let at = x.at(at);
            let _ = writeln!(out, "<path class=\"axis\" d=\"M{at:.1} {bottom}v5\"/>");
            let _ = writeln!(out, "<text class=\"middle\" x=\"{at:.1}\" y=\"{}\">{word}</text>", bottom + 20.0);
        }
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
        let (middle, centre) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let title = escaped(&self.x.title);
        let _ = writeln!(out, "<text class=\"middle soft\" x=\"{middle}\" y=\"{}\">{title}</text>", bottom + 40.0);
        let title = escaped(&self.y.title);
        let turned = format!("transform=\"translate(16 {centre}) rotate(-90)\"");
        let _ = writeln!(out, "<text class=\"middle soft\" {turned}>{title}</text>");
    }
}

fn ticks(axis: &Axis, scale: Scale) -> Vec<(f64, String)> {
    if !axis.ticks.is_empty() {
        return axis.ticks.iter().map(|(at, word)| (*at, escaped(word))).collect();
    }
    // As many digits as the narrowest distance needs.
    let places = scale.ticks(6);
    let step = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let digits = if step.is_finite() && step < 1.0 { (-step.log10()).ceil().max(0.0) as usize } else { 0 };
    places.into_iter().map(|at| (at, format!("{at:.digits$}"))).collect()
}

/// Class of a colour; once all shapes were used, marks are hollow and lines broken.
fn class(style: usize) -> String {
    format!("s{}{}", style % COLOURS.len(), if style < SHAPES { "" } else { " more" })
}

fn draw(out: &mut String, series: &Series, x: Scale, y: Scale) {
    let class = class(series.style);
    let place = |at: f64, height: f64| (x.at(at), y.at(height));
    let points = &series.points;
    if series.is_line && points.len() > 1 {
        let upper = points.iter().map(|point| place(point.x, point.range.1));
        let lower = points.iter().rev().map(|point| place(point.x, point.range.0));
        let _ = writeln!(out, "<path class=\"{class} band\" d=\"M{}Z\"/>", polyline(upper.chain(lower)));
        let line = polyline(points.iter().map(|point| place(point.x, point.y)));
        let _ = writeln!(out, "<path class=\"{class} line\" d=\"M{line}\"/>");
    } else {
        for point in points {
            let (at, low, high) = (x.at(point.x), y.at(point.range.0), y.at(point.range.1));
            let _ = writeln!(out, "<path class=\"{class} whisker\" d=\"M{at:.1} {low:.1}V{high:.1}\"/>");
        }
    }
    for point in points {
        let mark = marks::path(series.style, x.at(point.x), y.at(point.y), 4.0);
        let _ = writeln!(out, "<path class=\"{class} mark\" d=\"{mark}\"/>");
    }
}

fn style() -> String {
    let paper = |ink: &str, soft: &str, grid: &str, dark: bool| {
        let mut css = format!("text{{fill:{ink}}}.soft{{fill:{soft}}}.axis{{stroke:{soft}}}.grid{{stroke:{grid}}}");
        for (at, (on_light, on_dark)) in COLOURS.iter().enumerate() {
            let _ = write!(css, ".s{at}{{--mark:{}}}", if dark { on_dark } else { on_light });
        }
        css
    };
    format!(
        "<style>text{{font:13px system-ui,sans-serif}}.title{{font-weight:600;font-size:15px}}\
         .end{{text-anchor:end}}.middle{{text-anchor:middle}}path{{fill:none}}\
         .line{{stroke:var(--mark);stroke-width:2}}.whisker{{stroke:var(--mark);stroke-width:1.5;opacity:.6}}\
         .band{{fill:var(--mark);opacity:.13}}.mark{{fill:var(--mark)}}\
         .more.mark{{fill:none;stroke:var(--mark);stroke-width:1.5}}.more.line{{stroke-dasharray:5 3}}{}\
         @media (prefers-color-scheme:dark){{{}}}</style>\n",
        paper("#1c1a17", "#5d574e", "#dcd6cb", false),
        paper("#ece8df", "#aaa396", "#3a3832", true)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Axis, COLOURS, Chart, LEGEND_LINE, LETTER, PLOT, Point, Series, WIDTH};

    fn chart(names: &[&str], is_line: bool) -> Chart {
        let point = |x: f64| Point { x, y: 40.0 + x, range: (30.0 + x, 50.0 + x) };
        let series = |(style, name): (usize, &&str)| Series {
            name: (*name).to_owned(),
            style,
            points: vec![point(0.0), point(10.0), point(20.0)],
            is_line,
        };
        Chart {
            title: "a < b & c".to_owned(),
            x: Axis::numbers("steps"),
            y: Axis::numbers("accuracy, %"),
            series: names.iter().enumerate().map(series).collect(),
        }
    }

    /// Every element that is opened is closed in its turn; text holds no bare markup.
    fn is_well_formed(svg: &str) -> bool {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = svg;
        while let Some(at) = rest.find('<') {
            let Some(end) = rest[at..].find('>').map(|end| at + end) else { return false };
            let (inside, text) = (&rest[at + 1..end], &rest[..at]);
            if text.contains('>') || text.split('&').skip(1).any(|entity| !entity.starts_with(['a', 'l', 'g'])) {
                return false;
            }
            let name = inside.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
            let quotes = inside.matches('"').count();
            if !quotes.is_multiple_of(2) {
                return false;
            }
            if inside.starts_with('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !inside.ends_with('/') {
                open.push(name);
            }
            rest = &rest[end + 1..];
        }
        open.is_empty() && rest.trim().is_empty()
    }

    #[test]
    fn picture_is_well_formed_and_says_what_it_shows() {
        for is_line in [true, false] {
            let svg = chart(&["inherited", "from <scratch>"], is_line).svg();
            assert!(is_well_formed(&svg), "{svg}");
            assert!(svg.contains("<title>a &lt; b &amp; c</title>") && svg.contains("accuracy, %"));
            assert!(svg.contains("from &lt;scratch&gt;"));
            assert_eq!(svg.matches(" band\"").count(), if is_line { 2 } else { 0 });
            assert_eq!(svg.matches(" whisker\"").count(), if is_line { 0 } else { 6 });
            // Three points of each, and one in the legend.
            assert_eq!(svg.matches(" mark\"").count(), 8);
        }
        assert!(!is_well_formed("<svg><text></svg>") && !is_well_formed("<svg>a > b</svg>"));
    }

    #[test]
    fn numbers_stay_inside_the_picture() {
        let svg = chart(&["inherited"], true).svg();
        let line = svg.lines().find(|line| line.contains(" line\"")).unwrap();
        let path = line.split("d=\"M").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.split('L').count(), 3);
        for point in path.split('L') {
            let (x, y) = point.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((PLOT[0]..=PLOT[2]).contains(&x) && (PLOT[1]..=PLOT[3]).contains(&y), "{point}");
        }
    }

    #[test]
    fn a_long_legend_takes_more_lines() {
        let names: Vec<String> = (0..COLOURS.len()).map(|at| format!("a long name of start {at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let places = chart(&names, true).legend();
        // Names of 22 letters: three fit beside each other.
        let width = 34.0 + 22.0 * LETTER;
        assert!(PLOT[0] + 3.0 * width <= WIDTH && PLOT[0] + 4.0 * width > WIDTH);
        for (at, (left, below)) in places.iter().enumerate() {
            let (column, line) = ((at % 3) as f64, (at / 3) as f64);
            let expected = (PLOT[0] + column * width, line * LEGEND_LINE);
            assert!((left - expected.0).abs() < 1e-9 && (below - expected.1).abs() < 1e-9, "{at}: {left}, {below}");
        }
    }

    #[test]
    fn nothing_and_one_value_are_drawn_too() {
        let mut empty = chart(&[], true);
        assert!(empty.is_empty() && is_well_formed(&empty.svg()));
        let points = vec![Point { x: 1.0, y: 2.0, range: (2.0, 2.0) }];
        empty.series.push(Series { name: "one".to_owned(), style: 0, points, is_line: true });
        let svg = empty.svg();
        assert!(is_well_formed(&svg) && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        // A line of one point is none: it has a whisker, and its mark here and in the legend.
        let counts = [" line\"", " whisker\"", " mark\""].map(|kind| svg.matches(kind).count());
        assert_eq!(counts, [0, 1, 2]);
    }
}
