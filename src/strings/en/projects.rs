//! Words about projects.

use crate::strings::Projects;

pub(super) const PROJECTS: Projects = Projects {
    label: "Project",
    first: "My first project",
    new_name: |count| format!("Project {}", count + 1),
    title: "Projects",
    intro: "Model, pictures, measurements and training are kept in this browser, on this computer, and are there again \
            after a reload or a crash. A project can be taken along as one .zip.",
    nothing: "Nothing to save yet",
    saved: |ago| format!("Saved {ago}"),
    just_now: "just now",
    ago: |time| format!("{time} ago"),
    unsaved: |reason| format!("Not saved: {reason}"),
    name: "Name",
    when: "Saved",
    size: "Size",
    open: "Open",
    is_open: "open",
    open_one: |name| format!("Open the project {name}"),
    rename_one: |name| format!("Name of the project {name}"),
    delete: "Delete",
    delete_one: |name| format!("Delete the project {name}"),
    really_delete: "Really delete?",
    new: "New project",
    export: "Save the project as .zip",
    import: "Open a project from a .zip",
    room: |used, free| match free {
        Some(free) => format!("{used} used in this browser, {free} free"),
        None => format!("{used} used"),
    },
    opened: |name| format!("The project {name} is open."),
    restarted: |reason, during, saved| {
        let during = during.map(|job| format!(" while {job}")).unwrap_or_default();
        let reason = if reason.is_empty() { "it gave no reason" } else { reason };
        let saved = match saved {
            Some(ago) => format!("your work is brought back as it was saved {ago}, and training goes on from there"),
            None => "your work is brought back".to_owned(),
        };
        format!("The engine stopped{during} ({}). A new one was started; {saved}.", reason.trim_end_matches('.'))
    },
    not_exported: "The project could not be read from the browser's store. Reload the page and try again.",
};
