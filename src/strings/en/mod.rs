//! English.

mod ancestor;
mod cnn;
mod descendant;
mod heads;
mod home;
mod layers;
mod lessons;
mod pictures;
mod pool;
mod projects;
mod race;
mod shipped;
mod show_me;
mod tied;
mod training;
mod trial;
mod trying;

use super::{EngineWords, Jobs, NoticeWords, Page, Strings, Time};
use heirloom_plan::protocol::JobKind;

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub static EN: Strings = Strings {
    page: PAGE,
    engine: ENGINE,
    jobs: JOBS,
    time: TIME,
    notice: NOTICE,
    ancestor: ancestor::ANCESTOR,
    cnn: cnn::CNN,
    pictures: pictures::PICTURES,
    heads: heads::HEADS,
    layers: layers::LAYERS,
    descendant: descendant::DESCENDANT,
    training: training::TRAINING,
    pool: pool::POOL,
    tied: tied::TIED,
    race: race::RACE,
    trial: trial::TRIAL,
    trying: trying::TRYING,
    lessons: lessons::LESSONS,
    home: home::HOME,
    projects: projects::PROJECTS,
    shipped: shipped::SHIPPED,
    show_me: show_me::SHOW_ME,
};

const PAGE: Page = Page {
    tagline: "Grow a small vision model that inherits from a big one, here in this tab.",
    skip: "Skip to the first step",
    steps: "Steps",
    privacy: "Your models and pictures stay on this computer. The page is not able to send them anywhere.",
    offline_ready: "This page is kept on this computer and opens without a network, with every ancestor that was opened before.",
    offline_waiting: "A newer version of this page is ready. Close all its tabs and open it again to have it; your work stays.",
    privacy_check_title: "How to check this",
    privacy_check: "The page carries a content-security policy that lets it talk only to the place it was loaded from. \
                    Open your browser's developer tools, choose the network panel, and use the page: after loading, \
                    nothing is requested. Or switch the network off once the engine has started: the page goes on working.",
    paper: "The method is Cluster-Learngene (NeurIPS 2024). A big trained model, the ancestor, has many attention \
            heads that do much the same. One head of each group is kept; together they are the learngene, and small \
            descendants start from it instead of from random numbers.",
    paper_link: "About the method",
    bench: "Benchmark mode: a program drives this page through window.bench.",
    as_table: "The same as a table",
    details: "More settings",
    drop_here: "Drop files or folders anywhere on the page.",
};

const ENGINE: EngineWords = EngineWords {
    loading: "Loading the engine …",
    starting: "Looking for a graphics processor …",
    gone: "No engine",
    again: "Start the engine again",
    self_test: "Self-test at the start",
    cores: "Cores",
    cores_why: "Cores that the next training may use; the results are the same with any number",
    asked_restart: "you asked for a new one",
    silent: "The engine has not answered for a minute. A big step may simply take long; if you think it hangs, start it \
             again. Ancestor and pictures are opened again by themselves.",
    fallback: |reason| {
        format!("WebGPU is not used: {reason} Everything works on the processor (CPU) too, only slower.")
    },
    restarted: |reason, during| {
        let during = during.map(|job| format!(" while {job}")).unwrap_or_default();
        let reason = if reason.is_empty() { "it gave no reason" } else { reason };
        let repeated = if during.is_empty() { "" } else { " What it was doing is not repeated by itself." };
        format!(
            "The engine stopped{during} ({}). A new one was started; ancestor, pictures and measurements are being \
             restored.{repeated}",
            reason.trim_end_matches('.')
        )
    },
    cpu_from_now: "It computes on the processor (CPU), because the graphics processor failed.",
    models_lost: "The curves are still here, but the trained models are gone; train again to use one.",
    gave_up: |reason| {
        format!(
            "The engine could not be started after several attempts ({}). Reload the page; if that does not help, try \
             it with ?engine=cpu at the end of the address, or another browser.",
            if reason.is_empty() { "it gave no reason" } else { reason }
        )
    },
    insecure: "This page was loaded over plain http from another computer. Browsers then offer no WebGPU, so the \
               processor (CPU) computes. Use https or localhost to change that.",
};

const JOBS: Jobs = Jobs {
    name: |job| match job {
        JobKind::Open => "reading the ancestor",
        JobKind::Pictures => "looking through the pictures",
        JobKind::Measure => "measuring the heads",
        JobKind::Condense => "comparing the layers",
        JobKind::Survival => "seeing what survives",
        JobKind::Train => "training",
        JobKind::Pool => "making the pool",
        JobKind::Tied => "learning the layers",
        JobKind::Evaluate => "naming pictures",
    },
    waiting: "Waiting for the engine …",
    stop: "Stop",
    stop_job: |job| format!("Stop {job}"),
    of: |done, total| format!("{done} of {total}"),
    left: |time| format!("about {time} left"),
    left_unknown: "time left not known yet",
    finished: |job| format!("Finished {job}."),
    stopped: |job| format!("Stopped {job}."),
    quarter: |job, percent| format!("{job}: {percent} %"),
};

const TIME: Time = Time {
    seconds: |seconds| format!("{seconds} s"),
    minutes: |minutes| format!("{minutes} min"),
    hours: |hours, minutes| format!("{hours} h {minutes} min"),
};

const NOTICE: NoticeWords = NoticeWords {
    copy: "Copy report",
    copied: "Copied",
    copy_by_hand: "The browser does not let the page copy. Select the text and copy it by hand:",
    close: "Close this message",
};
