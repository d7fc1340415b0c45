//! A page of text in the plainest Markdown: headings, paragraphs, lists, `**bold**`, `*emphasis*` and code.

use leptos::prelude::*;

enum Block<'a> {
    Heading(&'a str),
    Text(&'a str),
    List { is_numbered: bool, items: Vec<&'a str> },
}

/// Draws it, without its title. Every paragraph and item is one line.
pub fn sheet(markdown: &str) -> impl IntoView + use<> {
    let block = |block: Block| match block {
        Block::Heading(text) => view! { <h3>{text.to_owned()}</h3> }.into_any(),
        Block::Text(text) => view! { <p>{inline(text)}</p> }.into_any(),
        Block::List { is_numbered, items } => {
            let items = items.into_iter().map(|item| view! { <li>{inline(item)}</li> }).collect_view();
            match is_numbered {
                true => view! { <ol>{items}</ol> }.into_any(),
                false => view! { <ul>{items}</ul> }.into_any(),
            }
        }
    };
    view! { <div class="sheet">{blocks(markdown).into_iter().map(block).collect_view()}</div> }
}

fn blocks(markdown: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for line in markdown.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok());
        let item = line.strip_prefix("- ").map(|item| (false, item)).or(numbered.map(|(_, item)| (true, item)));
        match (line.strip_prefix("## "), item, blocks.last_mut()) {
            (Some(heading), _, _) => blocks.push(Block::Heading(heading)),
            (None, Some((is, item)), Some(Block::List { is_numbered, items })) if *is_numbered == is => {
                items.push(item)
            }
            (None, Some((is_numbered, item)), _) => blocks.push(Block::List { is_numbered, items: vec![item] }),
            (None, None, _) => blocks.push(Block::Text(line)),
        }
    }
    blocks
}

/// Marks come in pairs and do not nest: between an odd one and the next stands what is marked.
fn inline(text: &str) -> impl IntoView + use<> {
    let code = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        1 => view! { <code>{part.to_owned()}</code> }.into_any(),
        _ => stressed(part).into_any(),
    });
    code.collect_view()
}

fn stressed(text: &str) -> impl IntoView + use<> {
    let bold = text.split("**").enumerate().map(|(index, part)| match index % 2 {
        1 => view! { <strong>{part.to_owned()}</strong> }.into_any(),
        _ => {
            let parts = part.split('*').enumerate().map(|(index, part)| match index % 2 {
                1 => view! { <em>{part.to_owned()}</em> }.into_any(),
                _ => part.to_owned().into_any(),
            });
            parts.collect_view().into_any()
        }
    });
    bold.collect_view()
}
