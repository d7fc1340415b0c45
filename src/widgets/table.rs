//! What a drawing shows, as a table.

use crate::prelude::*;

/// A table that is folded away and scrolls by itself; its rows are the children.
#[component]
pub fn TableView(
    /// Handle of the table.
    testid: &'static str,
    /// What it holds, for screen readers.
    label: &'static str,
    /// Names of the columns.
    #[prop(into)]
    columns: Signal<Vec<String>>,
    /// What is to be clicked; else that it is the same as a table.
    #[prop(optional)]
    title: Option<&'static str>,
    /// What is to be known before the numbers are read.
    #[prop(optional)]
    note: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    let head = move || columns.get().into_iter().map(|name| view! { <th scope="col">{name}</th> }).collect_view();
    view! {
        <details class="more">
            <summary>{title.unwrap_or(text().page.as_table)}</summary>
            {note}
            <div class="scroll" tabindex="0" role="region" aria-label=label>
                <table data-testid=testid>
                    <thead>
                        <tr>{head}</tr>
                    </thead>
                    <tbody>{children()}</tbody>
                </table>
            </div>
        </details>
    }
}
