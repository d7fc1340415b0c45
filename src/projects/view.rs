//! The project that is open, when it was saved, and all the others.

use crate::prelude::*;
use crate::projects::actions::{
    delete_project, export_project, import_project, new_project, open_project, rename_project,
};
use crate::widgets::Picker;
use heirloom_plan::protocol::ProjectEntry;

#[component]
pub fn ProjectsBar() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().projects;
    let projects = store.projects;
    let status = move || match (projects.unsaved.get(), projects.saved_ago()) {
        (Some(reason), _) => (t.unsaved)(&reason),
        (None, Some(ago)) => (t.saved)(&ago),
        (None, None) => t.nothing.to_owned(),
    };
    view! {
        <section class="projects" aria-label=t.title>
            <p class="project-line">
                <span class="term">{t.label}</span> " " <strong data-testid="project-name">{move || projects.name.get()}</strong>
                " · " <span data-testid="saved-status" class:unsaved=move || projects.unsaved.with(Option::is_some)>{status}</span>
            </p>
            <details class="more">
                <summary data-testid="projects-open">{t.title}</summary>
                <p class="hint">{t.intro}</p>
                <List/>
                <div class="row">
                    <button type="button" class="quiet" data-testid="project-new" on:click=move |_| new_project(store)>{t.new}</button>
                    <button type="button" class="quiet" data-testid="export-project" on:click=move |_| export_project(store)>
                        {t.export}
                    </button>
                    <Picker id="import-project" label=t.import accept=".zip" quiet=true on_pick=move |picked| import_project(store, picked)/>
                </div>
            </details>
        </section>
    }
}

#[component]
fn List() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().projects;
    let list = store.projects.list;
    let is_any = Memo::new(move |_| list.with(|list| !list.projects.is_empty()));
    let room = move || list.with(|list| (t.room)(&bytes(list.used), list.free.map(bytes).as_deref()));
    view! {
        <Show when=move || is_any.get()>
            <div class="scroll" tabindex="0" role="region" aria-label=t.title>
                <table data-testid="project-list">
                    <thead>
                        <tr>
                            <th scope="col">{t.name}</th>
                            <th scope="col">{t.when}</th>
                            <th scope="col">{t.size}</th>
                            <th scope="col" class="unseen-head"><span class="unseen">{t.open}</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || list.with(|list| list.projects.iter().map(|one| row(store, one, &list.open)).collect_view())}
                    </tbody>
                </table>
            </div>
            <p class="hint" data-testid="storage-used">{room}</p>
        </Show>
    }
}

fn row(store: Store, project: &ProjectEntry, open: &str) -> impl IntoView + use<> {
    let t = &text().projects;
    let ProjectEntry { id, name, saved_at, bytes: size } = project.clone();
    let is_open = id == open;
    let really = RwSignal::new(false);
    let [to_open, to_rename, to_delete] = [id.clone(), id.clone(), id];
    let delete = move |_| match really.get_untracked() {
        true => delete_project(store, to_delete.clone()),
        false => really.set(true),
    };
    let ago = move || (t.ago)(&duration((store.projects.now.get() - saved_at).max(0.0) / 1e3));
    view! {
        <tr>
            <td>
                <input
                    type="text"
                    maxlength="120"
                    data-testid="project-rename"
                    aria-label=(t.rename_one)(&name)
                    prop:value=name.clone()
                    on:change=move |event| rename_project(store, to_rename.clone(), event_target_value(&event))
                />
            </td>
            <td>{ago}</td>
            <td class="number">{bytes(size)}</td>
            <td>
                <div class="row">
                    <button
                        type="button"
                        class="quiet"
                        data-testid="project-open"
                        disabled=is_open
                        aria-label=(t.open_one)(&name)
                        on:click=move |_| open_project(store, to_open.clone())
                    >
                        {if is_open { t.is_open } else { t.open }}
                    </button>
                    <button
                        type="button"
                        class="quiet"
                        data-testid="project-delete"
                        aria-label=(t.delete_one)(&name)
                        on:click=delete
                        on:blur=move |_| really.set(false)
                    >
                        {move || if really.get() { t.really_delete } else { t.delete }}
                    </button>
                </div>
            </td>
        </tr>
    }
}
