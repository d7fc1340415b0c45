//! Every word of the page, one file per language.
//!
//! A language is one value of [`Strings`]; a missing sentence does not compile. Simple words come first, the exact
//! term beside them.

mod cnn;
mod en;
mod layers;
mod lessons;
mod pool;
mod projects;
mod race;
pub mod settings;
mod shipped;
mod show_me;
mod tied;
mod trying;

pub use cnn::Cnn;
pub use lessons::Lessons;
pub use projects::Projects;
pub use shipped::ShippedWords;
pub use show_me::{ShowMe, StageWords};
pub use tied::TiedWords;
pub use trying::Trying;

pub use self::pool::PoolWords;
use heirloom_plan::protocol::{CopyScale, Init, JobKind, Notice};

pub use layers::Layers;
pub use race::Race;

/// The words of the language in use.
pub fn text() -> &'static Strings {
    &en::EN
}

/// What the engine says, in the language in use. The catalogue of another language looks up the notice's code and fills
/// in its values; for what it does not know yet, and in English, the engine's own sentence stands.
pub fn notice(notice: &Notice) -> String {
    notice.text.clone()
}

/// A step's heading.
pub struct Heading {
    pub title: &'static str,
    /// The exact term, with the paper's section.
    pub term: &'static str,
    /// What one does here, in a sentence or two.
    pub intro: &'static str,
}

pub struct Strings {
    pub page: Page,
    pub engine: EngineWords,
    pub jobs: Jobs,
    pub time: Time,
    pub notice: NoticeWords,
    pub ancestor: Ancestor,
    pub cnn: Cnn,
    pub pictures: Pictures,
    pub heads: Heads,
    pub layers: Layers,
    pub descendant: Descendant,
    pub training: Training,
    pub pool: PoolWords,
    pub tied: TiedWords,
    pub race: Race,
    pub trial: Trial,
    pub trying: Trying,
    pub lessons: Lessons,
    pub home: Home,
    pub projects: Projects,
    pub shipped: ShippedWords,
    pub show_me: ShowMe,
}

pub struct Page {
    pub tagline: &'static str,
    pub skip: &'static str,
    pub steps: &'static str,
    pub privacy: &'static str,
    pub offline_ready: &'static str,
    pub offline_waiting: &'static str,
    pub privacy_check_title: &'static str,
    pub privacy_check: &'static str,
    pub paper: &'static str,
    pub paper_link: &'static str,
    pub bench: &'static str,
    pub as_table: &'static str,
    pub details: &'static str,
    pub drop_here: &'static str,
}

pub struct EngineWords {
    pub loading: &'static str,
    pub starting: &'static str,
    pub gone: &'static str,
    pub again: &'static str,
    pub self_test: &'static str,
    pub cores: &'static str,
    pub cores_why: &'static str,
    pub asked_restart: &'static str,
    pub silent: &'static str,
    pub fallback: fn(&str) -> String,
    pub restarted: fn(&str, Option<&str>) -> String,
    pub cpu_from_now: &'static str,
    pub models_lost: &'static str,
    pub gave_up: fn(&str) -> String,
    pub insecure: &'static str,
}

pub struct Jobs {
    pub name: fn(JobKind) -> &'static str,
    pub waiting: &'static str,
    pub stop: &'static str,
    pub stop_job: fn(&str) -> String,
    pub of: fn(usize, usize) -> String,
    pub left: fn(&str) -> String,
    pub left_unknown: &'static str,
    pub finished: fn(&str) -> String,
    pub stopped: fn(&str) -> String,
    pub quarter: fn(&str, usize) -> String,
}

pub struct Time {
    pub seconds: fn(&str) -> String,
    pub minutes: fn(u64) -> String,
    pub hours: fn(u64, u64) -> String,
}

pub struct NoticeWords {
    pub copy: &'static str,
    pub copied: &'static str,
    pub copy_by_hand: &'static str,
    pub close: &'static str,
}

pub struct Ancestor {
    pub heading: Heading,
    pub input: &'static str,
    pub hint: &'static str,
    pub again: &'static str,
    pub layers: &'static str,
    pub heads: &'static str,
    pub width: &'static str,
    pub width_value: fn(usize, usize) -> String,
    pub picture: &'static str,
    pub picture_value: fn(usize, usize) -> String,
    pub parameters: &'static str,
    pub classes: &'static str,
    pub no_classes: &'static str,
    pub stored_as: &'static str,
    pub assumptions: &'static str,
    pub missing: fn(usize) -> String,
    pub unexpected: fn(usize) -> String,
    pub nearest: fn(&str) -> String,
    pub all_keys: &'static str,
    pub spoken: fn(&str, usize, usize) -> String,
}

pub struct Pictures {
    pub heading: Heading,
    pub folder_input: &'static str,
    pub input: &'static str,
    pub hint: &'static str,
    pub samples: &'static str,
    pub sample_doodles: &'static str,
    pub sample_clothes: &'static str,
    pub sample_credits: &'static str,
    pub sample_missing: fn(&str) -> String,
    pub class: &'static str,
    pub class_hint: &'static str,
    pub find_small: &'static str,
    pub find_small_hint: &'static str,
    pub most_megabytes: &'static str,
    pub most_megabytes_hint: &'static str,
    pub most_milliseconds: &'static str,
    pub most_milliseconds_hint: &'static str,
    pub minutes: &'static str,
    pub minutes_hint: &'static str,
    pub fit_head: &'static str,
    pub fit_head_hint: &'static str,
    pub clear: &'static str,
    pub nothing_inside: &'static str,
    pub unreadable_entries: fn(usize, &str) -> String,
    pub walking: &'static str,
    pub total: fn(usize, usize, usize) -> String,
    pub class_column: &'static str,
    pub train_column: &'static str,
    pub validation_column: &'static str,
    pub examples_column: &'static str,
    pub example: fn(&str) -> String,
    pub unreadable: fn(usize) -> String,
    pub duplicates: fn(usize) -> String,
    pub split_by_folder: &'static str,
    pub folders_read: fn(&str, &str) -> String,
    pub read_folders: fn(&str) -> String,
    pub share: &'static str,
    pub share_hint: &'static str,
    pub seed: &'static str,
    pub seed_hint: &'static str,
    pub one_class: &'static str,
}

pub struct Heads {
    pub heading: Heading,
    pub need_ancestor: &'static str,
    pub need_pictures: &'static str,
    pub need_both: &'static str,
    pub measure: &'static str,
    pub measure_again: &'static str,
    pub count: &'static str,
    pub count_hint: &'static str,
    pub renormalise: &'static str,
    pub took: fn(usize, &str) -> String,
    pub chart_title: &'static str,
    pub chart_label: fn(usize, usize) -> String,
    pub x_axis: &'static str,
    pub y_axis: &'static str,
    pub uniform: &'static str,
    pub legend_cluster: &'static str,
    pub legend_size: &'static str,
    pub legend_centroid: &'static str,
    pub legend_member: &'static str,
    pub ranks: fn(usize) -> String,
    pub eps: &'static str,
    pub eps_term: &'static str,
    pub eps_value: fn(&str) -> String,
    pub kept: fn(usize, usize) -> String,
    pub kept_label: &'static str,
    pub ffns: fn(usize, usize) -> String,
    pub ffn_label: &'static str,
    pub saved: fn(&str, &str, &str) -> String,
    pub saved_label: &'static str,
    pub ffn_groups: fn(&str) -> String,
    pub no_ffn_groups: &'static str,
    pub min_heads: &'static str,
    pub min_heads_hint: &'static str,
    pub eps_ffn: &'static str,
    pub eps_ffn_hint: &'static str,
    pub strict: &'static str,
    pub strict_hint: &'static str,
    pub layer: &'static str,
    pub head: &'static str,
    pub distance: &'static str,
    pub deviation: &'static str,
    pub entropy: &'static str,
    pub cluster: &'static str,
    pub centroid: &'static str,
    pub yes: &'static str,
    pub no: &'static str,
    pub look: &'static str,
    pub look_intro: &'static str,
    pub picture: &'static str,
    pub patch: &'static str,
    pub from_patch: fn(&str) -> String,
    pub received: &'static str,
    pub from_cls: &'static str,
    pub dot: fn(usize, usize, &str, usize, bool) -> String,
    pub map_label: fn(usize, usize, &str) -> String,
}

pub struct Descendant {
    pub heading: Heading,
    pub need: &'static str,
    pub method: &'static str,
    pub method_cluster: &'static str,
    pub method_layers: &'static str,
    pub method_pool: &'static str,
    pub method_stitch: &'static str,
    pub method_tleg: &'static str,
    pub method_sws: &'static str,
    pub heads: &'static str,
    pub heads_hint: &'static str,
    pub layers: &'static str,
    pub layers_hint: fn(usize) -> String,
    pub size: &'static str,
    pub size_hint: fn(usize) -> String,
    pub even: &'static str,
    pub even_hint: &'static str,
    pub scale: &'static str,
    pub scale_hint: &'static str,
    pub scale_name: fn(CopyScale) -> &'static str,
    pub survival: &'static str,
    pub survival_hint: &'static str,
    pub survival_of: fn(usize, &str) -> String,
    pub survival_columns: [&'static str; 6],
    pub survival_current: fn(&str) -> String,
    pub compensate: &'static str,
    pub compensate_hint: &'static str,
    pub maps: &'static str,
    pub maps_hint: &'static str,
    pub parameters: &'static str,
    pub flops: &'static str,
    pub flops_value: fn(&str) -> String,
    pub bytes: &'static str,
    pub training_bytes: &'static str,
    pub epoch: &'static str,
    pub epoch_unknown: &'static str,
    pub of_ancestor: fn(&str) -> String,
    pub chart_title: &'static str,
    pub chart_label: fn(usize, usize) -> String,
    pub legend: &'static str,
    pub row: fn(usize, usize) -> String,
    pub source: fn(usize, usize, usize) -> String,
    pub table_head: &'static str,
    pub table_source: &'static str,
    pub table_members: &'static str,
    pub table_ancestor_layer: &'static str,
}

pub struct Training {
    pub heading: Heading,
    pub need: &'static str,
    pub need_arm: &'static str,
    pub start: &'static str,
    pub start_again: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub stop: &'static str,
    pub arm: fn(Init) -> &'static str,
    pub steps: &'static str,
    pub steps_hint: &'static str,
    pub seeds: &'static str,
    pub seeds_hint: &'static str,
    pub batch: &'static str,
    pub batch_hint: &'static str,
    pub lr: &'static str,
    pub lr_hint: &'static str,
    pub relative_lr: &'static str,
    pub relative_lr_hint: &'static str,
    pub fresh_lr: &'static str,
    pub fresh_lr_hint: &'static str,
    pub warmup: &'static str,
    pub warmup_hint: &'static str,
    pub decay: &'static str,
    pub decay_hint: &'static str,
    pub smoothing: &'static str,
    pub smoothing_hint: &'static str,
    pub drop_path: &'static str,
    pub drop_path_hint: &'static str,
    pub clip: &'static str,
    pub clip_hint: &'static str,
    pub augment: &'static str,
    pub augment_hint: &'static str,
    pub validate: &'static str,
    pub validate_hint: &'static str,
    pub idle: &'static str,
    pub preparing: &'static str,
    pub running: fn(&str, u64, usize, usize) -> String,
    pub and: &'static str,
    pub speed: fn(&str) -> String,
    pub paused: &'static str,
    pub stopped: &'static str,
    pub finished: fn(&str) -> String,
    pub result: fn(&str, &str) -> String,
    pub no_result: &'static str,
    pub chart_title: fn(&str) -> String,
    pub chart_label: fn(&str, &str) -> String,
    pub show: &'static str,
    pub accuracy: &'static str,
    pub validation_loss: &'static str,
    pub train_loss: &'static str,
    pub accuracy_unit: &'static str,
    pub loss_unit: &'static str,
    pub accuracy_axis: &'static str,
    pub validation_loss_axis: &'static str,
    pub train_loss_axis: &'static str,
    pub x_axis: &'static str,
    pub band: &'static str,
    pub chance: &'static str,
    pub no_points: &'static str,
    pub column_step: &'static str,
    pub column_epoch: &'static str,
    pub column_arm: &'static str,
    pub column_seed: &'static str,
    pub same: &'static str,
    pub curves: &'static str,
}

pub struct Trial {
    pub heading: Heading,
    pub need: &'static str,
    pub lost: &'static str,
    pub training: &'static str,
    pub model: &'static str,
    pub model_name: fn(&str, u64, usize) -> String,
    pub accuracy: fn(&str) -> String,
    pub input: &'static str,
    pub hint: &'static str,
    pub is: fn(&str, &str) -> String,
    pub matrix: &'static str,
    pub matrix_intro: &'static str,
    pub matrix_again: &'static str,
    pub matrix_caption: &'static str,
    pub truth: &'static str,
    pub cell: fn(usize, &str, &str) -> String,
    pub behind: fn(usize, &str, &str) -> String,
    pub shown_of: fn(usize, usize) -> String,
    pub close: &'static str,
}

pub struct Home {
    pub heading: Heading,
    pub need: &'static str,
    pub save: fn(&str) -> String,
    pub save_planned: &'static str,
    pub save_onnx: &'static str,
    pub save_package: &'static str,
    pub save_page: &'static str,
    pub no_player: &'static str,
    pub save_curves: &'static str,
    pub what: &'static str,
    pub which: [(&'static str, &'static str); 4],
    pub save_picture: &'static str,
    pub picture_svg: &'static str,
    pub picture_png: &'static str,
    pub saved: fn(&str) -> String,
    pub not_saved: fn(&str) -> String,
}
