//! Helpers as threads.

use std::sync::mpsc::{Sender, channel};

use futures::channel::oneshot;

use super::{Answering, Message};

type Asked = (Message, oneshot::Sender<Message>);

/// A thread that answers one message after the other.
#[derive(Debug)]
pub struct Helper {
    inbox: Sender<Asked>,
}

impl Helper {
    /// Starts one. It ends with its last message.
    pub fn start(answering: Answering) -> Option<Self> {
        let (inbox, messages) = channel::<Asked>();
        let work = move || {
            for (message, answer) in messages {
                // Whoever asked may have given up.
                let _ = answer.send(answering(message));
            }
        };
        std::thread::Builder::new().name(super::NAME.into()).spawn(work).ok()?;
        Some(Self { inbox })
    }

    /// Whether it can be asked.
    pub fn is_ready(&self) -> bool {
        true
    }

    /// Its answer; `None` when it is lost.
    pub fn ask(&self, head: &str, numbers: &[&[f32]]) -> impl Future<Output = Option<Message>> + use<> {
        let (answer, answered) = oneshot::channel();
        let is_sent = self.inbox.send(((head.to_owned(), numbers.concat()), answer)).is_ok();
        async move { if is_sent { answered.await.ok() } else { None } }
    }
}
