//! Words about projects: what is kept between visits.

pub struct Projects {
    pub label: &'static str,
    pub first: &'static str,
    /// Name of a new project, by how many there are.
    pub new_name: fn(usize) -> String,
    pub title: &'static str,
    pub intro: &'static str,
    pub nothing: &'static str,
    pub saved: fn(&str) -> String,
    pub just_now: &'static str,
    pub ago: fn(&str) -> String,
    pub unsaved: fn(&str) -> String,
    pub name: &'static str,
    pub when: &'static str,
    pub size: &'static str,
    pub open: &'static str,
    pub is_open: &'static str,
    pub open_one: fn(&str) -> String,
    pub rename_one: fn(&str) -> String,
    pub delete: &'static str,
    pub delete_one: fn(&str) -> String,
    pub really_delete: &'static str,
    pub new: &'static str,
    pub export: &'static str,
    pub import: &'static str,
    pub room: fn(&str, Option<&str>) -> String,
    pub opened: fn(&str) -> String,
    /// The engine stopped; its last words, what it was doing, how long ago it was saved.
    pub restarted: fn(&str, Option<&str>, Option<&str>) -> String,
    pub not_exported: &'static str,
}
