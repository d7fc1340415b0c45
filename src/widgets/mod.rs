//! What the steps share.

mod copy;
mod field;
mod notices;
mod picker;
mod plain;
mod progress;
mod sheet;
mod step;
mod table;

pub use copy::copy_text;
pub use field::{Check, ChoiceField, ListField, Number, NumberField};
pub use notices::Notices;
pub use picker::Picker;
pub use plain::{Press, fact, line, row, said, tick};
pub use progress::JobBar;
pub use sheet::sheet;
pub use step::{More, Step, jump, needs};
pub use table::TableView;
