//! Numbers as people read them.

use crate::strings::text;

pub use heirloom_plan::settings::plain;

/// `21.6 M`, `855 k`, `12`.
pub fn short(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{} k", digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} M", digits(value / 1e6)),
        _ => format!("{} G", digits(value / 1e9)),
    }
}

/// `43.2 MB`.
pub fn bytes(number: u64) -> String {
    let value = number as f64;
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{} kB", digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", digits(value / 1e6)),
        _ => format!("{} GB", digits(value / 1e9)),
    }
}

/// Three significant digits, without an exponent.
pub fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `27 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `12 s`, `3 min`, `1 h 20 min`: coarse, because predictions are.
pub fn duration(seconds: f64) -> String {
    let t = &text().time;
    match seconds {
        s if s < 10.0 => (t.seconds)(&format!("{s:.1}")),
        s if s < 90.0 => (t.seconds)(&format!("{s:.0}")),
        s if s < 5_400.0 => (t.minutes)((s / 60.0).round() as u64),
        s => (t.hours)((s / 3_600.0) as u64, (s % 3_600.0 / 60.0).round() as u64),
    }
}

/// `27.4 %`, with that many digits after the point.
pub fn percent_with(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", share * 100.0)
}
