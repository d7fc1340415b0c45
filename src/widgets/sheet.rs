//! A page of text in the plainest Markdown: headings, paragraphs, lists, `**bold**`, `*emphasis*` and code.

use leptos::prelude::*;

/// Draws one of our own sheets, without its title. Every paragraph and item is one line.
pub fn sheet(markdown: &'static str) -> AnyView {
    view! { <div class="sheet" inner_html=html(markdown)></div> }.into_any()
}

fn html(markdown: &str) -> String {
    let (mut out, mut list) = (String::new(), "");
    for line in markdown.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok());
        let (kind, tag, text) = match (line.strip_prefix("## "), line.strip_prefix("- "), numbered) {
            (Some(heading), _, _) => ("", "h3", heading),
            (_, Some(item), _) => ("ul", "li", item),
            (_, _, Some((_, item))) => ("ol", "li", item),
            _ => ("", "p", line),
        };
        if kind != list {
            out += &[mark("/", list), mark("", kind)].concat();
            list = kind;
        }
        out += &[mark("", tag), inline(text), mark("/", tag)].concat();
    }
    out + &mark("/", list)
}

fn mark(slash: &str, tag: &str) -> String {
    if tag.is_empty() { String::new() } else { format!("<{slash}{tag}>") }
}

/// Marks come in pairs: what stands between an odd one and the next is marked.
fn inline(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    [("`", "code"), ("**", "strong"), ("*", "em")].into_iter().fold(escaped, |text, (sign, tag)| {
        let parts = text.split(sign).enumerate();
        let parts = parts.map(|(at, part)| if at == 0 { part.to_owned() } else { mark(["/", ""][at % 2], tag) + part });
        parts.collect()
    })
}
