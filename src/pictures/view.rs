//! Step 2: pictures, by class.

use crate::pictures::actions::{add_pictures, clear_pictures, read_folders};
use crate::pictures::samples;
use crate::pictures::samples::Sample;
use crate::prelude::*;
use crate::store::EngineState;
use crate::training::actions::{find_small, fit_head};
use crate::training::small::LimitFields;
use crate::widgets::{JobBar, More, NumberField, Picker, Press, Step, row};
use heirloom_plan::protocol::{ClassCount, Command, FolderChoice, JobKind, PicturesSummary};
use heirloom_plan::settings::{Key, Settings};

/// Classes listed before the rest is only counted.
const MOST_CLASSES: usize = 200;

#[component]
pub fn PicturesStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pictures;
    let class = RwSignal::new(String::new());
    let named = move || Some(class.get_untracked().trim().to_owned()).filter(|class| !class.is_empty());
    let has = Memo::new(move |_| store.pictures.with(|p| p.as_ref().is_some_and(|p| !is_empty(p))));
    view! {
        <Step id="pictures" number=2 heading=&t.heading missing=None>
            <div class="drop">
                <div class="row">
                    <Picker
                        id="pictures-folder-input"
                        label=t.folder_input
                        folder=true
                        on_pick=move |picked| add_pictures(store, picked, None)
                    />
                    <Picker
                        id="pictures-input"
                        label=t.input
                        accept="image/*,.zip"
                        quiet=true
                        on_pick=move |picked| add_pictures(store, picked, named())
                    />
                </div>
                <p class="hint">{t.hint}<br/>{text().page.drop_here}</p>
            </div>
            <div class="row samples" role="group" aria-label=t.samples>
                <span>{t.samples}</span>
                {sample("sample-doodles", t.sample_doodles, Sample::Doodles)}
                {sample("sample-clothes", t.sample_clothes, Sample::Clothes)}
                <small class="hint">{t.sample_credits}</small>
            </div>
            <JobBar kind=JobKind::Pictures stop_id="pictures-stop"/>
            <Show when=move || has.get()>
                <div data-testid="pictures-summary" class="summary">{move || store.pictures.get().map(summary)}</div>
                <FitHead/>
                <button type="button" class="quiet" data-testid="pictures-clear" on:click=move |_| clear_pictures(store)>
                    {t.clear}
                </button>
            </Show>
            <More>
                <div class="field">
                    <label for="pictures-class">{t.class}</label>
                    <input
                        type="text"
                        id="pictures-class"
                        data-testid="pictures-class"
                        aria-describedby="pictures-class-hint"
                        prop:value=move || class.get()
                        on:input=move |event| class.set(event_target_value(&event))
                    />
                    <small id="pictures-class-hint">{t.class_hint}</small>
                </div>
                <SplitFields/>
            </More>
        </Step>
    }
}

/// A model at once: nothing has to be measured or planned for it.
#[component]
fn FitHead() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pictures;
    let is_ready = move || matches!(store.engine.state.get(), EngineState::Ready(_));
    let has_split = move || store.pictures.with(|pictures| pictures.as_ref().is_some_and(|all| all.split.is_some()));
    let is_possible = move || is_ready() && has_split() && store.ancestor.with(Option::is_some) && !is_busy(store);
    let fit = Press::new("fit-head", t.fit_head, move |_| fit_head(store)).quiet().off_while(move || !is_possible());
    let small = Press::new("find-small", t.find_small, move |_| find_small(store)).off_while(move || !is_possible());
    view! {
        {row(vec![small, fit])}
        <div class="fields">
            <LimitFields/>
        </div>
        <p class="hint">{t.find_small_hint}</p>
        <p class="hint">{t.fit_head_hint}</p>
    }
}

fn sample(id: &'static str, name: &'static str, sample: Sample) -> impl IntoView {
    let store = expect_context::<Store>();
    view! {
        <button type="button" class="quiet" data-testid=id on:click=move |_| samples::add(store, sample)>
            {name}
        </button>
    }
}

/// The split is the engine's: each change is sent at once, and the new counts come back.
#[component]
fn SplitFields() -> impl IntoView {
    let store = expect_context::<Store>();
    let split = Memo::new(move |_| store.settings.with(Settings::split));
    Effect::new(move |before: Option<_>| {
        let split = split.get();
        // A split from the address must reach the engine too, so the first one is sent where it is not the usual.
        if before.map_or(split != Default::default(), |before| before != split) {
            send(store, Command::SetSplit(split));
        }
        split
    });
    view! {
        <NumberField id="split-share" key=Key::ValidationShare/>
        <NumberField id="split-seed" key=Key::SplitSeed/>
    }
}

fn is_empty(pictures: &PicturesSummary) -> bool {
    pictures.classes.is_empty() && pictures.unreadable_count == 0
}

fn summary(pictures: PicturesSummary) -> impl IntoView {
    let t = &text().pictures;
    let (train, validation) = pictures.classes.iter().fold((0, 0), |(t, v), c| (t + c.train, v + c.validation));
    let total = (t.total)(pictures.classes.len(), train, validation);
    let is_single = pictures.classes.len() == 1;
    let rows = pictures.classes.into_iter().take(MOST_CLASSES).map(class_row);
    let unreadable = pictures.unreadable.into_iter();
    let unreadable =
        unreadable.map(|(path, reason)| view! { <li><code>{path}</code> " " <small>{reason}</small></li> });
    let duplicates = pictures.duplicates.iter().map(|group| view! { <li><code>{group.join(" = ")}</code></li> });
    view! {
        <p class="lead"><strong>{total}</strong></p>
        {is_single.then(|| view! { <p class="missing">{t.one_class}</p> })}
        <div class="scroll" tabindex="0" role="region" aria-label=t.heading.title>
            <table class="classes">
                <thead>
                    <tr>
                        <th scope="col">{t.class_column}</th>
                        <th scope="col" class="number">{t.train_column}</th>
                        <th scope="col" class="number">{t.validation_column}</th>
                        <th scope="col">{t.examples_column}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {pictures.folders.map(choice_of_folders)}
        {pictures.split_by_folder.then(|| view! { <p class="hint">{t.split_by_folder}</p> })}
        {listed((t.unreadable)(pictures.unreadable_count), unreadable.collect())}
        {listed((t.duplicates)(pictures.duplicates.len()), duplicates.collect())}
    }
}

/// How folders inside folders were read, and the other reading.
fn choice_of_folders(folders: FolderChoice) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().pictures;
    let FolderChoice { chosen, other, level } = folders;
    let read = Press::new("folders-otherwise", (t.read_folders)(&other), move |_| read_folders(store, level)).quiet();
    view! {
        <p class="hint" data-testid="folders-read">{(t.folders_read)(&chosen, &other)}</p>
        {row(vec![read.off_while(move || is_busy(store))])}
    }
}

fn class_row(class: ClassCount) -> impl IntoView {
    let alt = (text().pictures.example)(&class.name);
    let examples = class.thumbnails.into_iter().take(4).map(|url| view! { <img src=url alt=alt.clone() height="36"/> });
    view! {
        <tr>
            <th scope="row">{class.name}</th>
            <td class="number">{class.train}</td>
            <td class="number">{class.validation}</td>
            <td class="thumbs">{examples.collect_view()}</td>
        </tr>
    }
}

fn listed<V: IntoView + 'static>(title: String, rows: Vec<V>) -> Option<impl IntoView> {
    (!rows.is_empty()).then(|| {
        view! {
            <details class="more">
                <summary>{title}</summary>
                <ul class="keys">{rows}</ul>
            </details>
        }
    })
}
