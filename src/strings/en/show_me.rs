//! Words of the story that the page tells by itself.

use super::plural;
use crate::format::percent;
use crate::show_me::state::Stage;
use crate::strings::{ShowMe, StageWords};

pub(super) const SHOW_ME: ShowMe = ShowMe {
    title: "The story in two minutes",
    button: "Show me",
    offer: |name, size| {
        format!(
            "Everything for a first look is here: {name} ({size}), a model that was trained before, and 400 drawings of \
             five things. Watch how a small model inherits from it and races one that starts from nothing. Afterwards do \
             each step with files of your own."
        )
    },
    busy: "The engine is at work; wait for it, or stop it.",
    asking: "There is work on this page already. With what shall the story be told?",
    here: "With what is here",
    here_hint: "What is there is used, what is missing is made. Nothing is trained again.",
    no_heads: "The story is about attention heads, and the model in step 1 has none.",
    anew: "With the shipped files, in a new project",
    anew_hint: "Your work is saved first and stays under Projects.",
    not_kept: "This browser keeps no projects, so your work would be lost; save what you need first.",
    never_mind: "Not now",
    place: |number, all| format!("{number} of {all}"),
    stage: |stage| match stage {
        Stage::Ancestor => StageWords {
            title: "A model that has already learned",
            sentence: "This is the ancestor: a larger model that was trained before. All it has learned sits in its \
                       numbers. We want to hand on the best of it.",
            term: "ancestor; a Vision Transformer (ViT)",
        },
        Stage::Pictures => StageWords {
            title: "Pictures to learn from",
            sentence: "Each picture comes with the name of what is on it. Most are for learning. Some are put aside, to \
                       check with pictures that the models have never seen.",
            term: "training and validation pictures",
        },
        Stage::Heads => StageWords {
            title: "How far does each head look?",
            sentence: "Inside the ancestor many small parts, called heads, look at a picture. Some look close by, some \
                       right across. We measure how far each of them looks: every dot is a head.",
            term: "attention heads; mean attention distance",
        },
        Stage::Clusters => StageWords {
            title: "Heads that do much the same",
            sentence: "Heads of one layer that look about equally far are a group, drawn in one colour. One head of each \
                       group is kept and the others are left out, for they would say much the same.",
            term: "clusters and their centroids; what is kept is the learngene",
        },
        Stage::Descendant => StageWords {
            title: "A small model grows from it",
            sentence: "The kept heads are copied into a smaller model, those of large groups first. The lines show which \
                       new head starts from which old one.",
            term: "descendant; expansion with priority weight-sharing",
        },
        Stage::Race => StageWords {
            title: "A fair race",
            sentence: "Two small models of the same shape learn from the same pictures in the same order. One starts \
                       with what it inherited, the other with random numbers. The higher curve is more often right.",
            term: "inherited against scratch; accuracy on the validation pictures",
        },
        Stage::Naming => StageWords {
            title: "What is this?",
            sentence: "The small model that inherited names pictures that were put aside. The bars show how sure it is \
                       of each answer.",
            term: "inference",
        },
    },
    waiting_engine: "Waiting until the engine is there …",
    hold: "Wait here",
    release: "Go on",
    skip: "Skip this step",
    skip_hint: "what follows needs this; it goes on as soon as it is there",
    stop: "Stop here",
    halted: "The story waits here: a message below says why, or a step gave no result. What was made is still there.",
    go_on: "Try this step again",
    found_ancestor: |layers, heads, parameters| {
        format!(
            "It has {} of {} each, and {parameters} numbers.",
            plural(layers, "layer", "layers"),
            plural(heads, "head", "heads")
        )
    },
    found_pictures: |classes, train, validation| {
        format!("{}: {train} pictures to learn from, {validation} to check with.", plural(classes, "class", "classes"))
    },
    found_heads: |heads, pictures, [near, far], side| {
        format!(
            "{} measured on {}. The nearest looks {near} px far, the farthest {far} px, in pictures of {side} px.",
            plural(heads, "head", "heads"),
            plural(pictures, "picture", "pictures")
        )
    },
    found_clusters: |kept, all| format!("{kept} of {} are kept.", plural(all, "head", "heads")),
    found_descendant: |heads, layers, parameters, share| {
        format!(
            "{} of {} each: {parameters} numbers, {share} of the ancestor's.",
            plural(layers, "layer", "layers"),
            plural(heads, "head", "heads")
        )
    },
    found_race: |inherited, scratch| {
        let end = match inherited.total_cmp(&scratch) {
            std::cmp::Ordering::Greater => "Inheriting is ahead.",
            std::cmp::Ordering::Equal => "This time they are level.",
            std::cmp::Ordering::Less => "This time random numbers are ahead.",
        };
        format!(
            "Right in the end: {} inherited, {} from scratch. {end} One short race is partly luck; the lines below the \
             curves say how much.",
            percent(inherited),
            percent(scratch)
        )
    },
    found_race_stopped: "The race was stopped before it was measured.",
    found_naming: |right, all| format!("It named {right} of {} rightly.", plural(all, "picture", "pictures")),
    ended: "That is the story.",
    took: |time| format!("It took {time}. Everything it made is still here."),
    untrained: "No model was trained, so none could name pictures.",
    yours: "Now do it yourself:",
    own: [
        ("ancestor", "Inherit from a model of your own"),
        ("pictures", "Take your own pictures"),
        ("heads", "Move the slider and see the groups change"),
        ("descendant", "Make the small model larger or smaller"),
        ("training", "Race again, with more steps and several seeds"),
    ],
    draw: |classes| format!("Draw one of these yourself, and see whether it is recognised: {classes}."),
    draw_it: "Draw something",
    usual: "Back to the usual settings",
    usual_hint: "The story used smaller ones, to be quick.",
    close: "Close",
};
