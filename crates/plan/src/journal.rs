//! What an engine must be told again after it died.
//!
//! What is in the project's store comes back from there (`keep`). The page keeps the commands since the last save
//! (ancestor, pictures, measured heads) together with the file handles, and all of them where nothing can be stored, so
//! that nothing the person did is lost with a crash. A command whose job was still under way when the engine died is
//! left out: it may be what killed it, and repeating it would end in a circle.

use super::protocol::{Command, Event, JobKind, ProjectCommand, ProjectEvent, Said, Saved};

/// A command with the handles that travel with it.
pub type Entry<F> = (Command, Vec<F>);

/// Commands to repeat, generic over the kind of file handle.
#[derive(Clone, Debug)]
pub struct Journal<F> {
    start: Option<Command>,
    cores: Option<Command>,
    begin: Option<Command>,
    /// The engine is opening a project.
    opening: bool,
    ancestor: Option<Entry<F>>,
    preparation: Option<Command>,
    /// Said while the ancestor it is meant for was still being opened.
    next_preparation: Option<Command>,
    pictures: Vec<Entry<F>>,
    /// How their folders are read, where not as usual.
    folders: Option<Command>,
    split: Option<Command>,
    measured: Option<Command>,
    /// Jobs that were not answered yet, by the numbers of their commands.
    pending: Vec<(u64, Entry<F>)>,
}

impl<F> Default for Journal<F> {
    fn default() -> Self {
        Self {
            start: None,
            cores: None,
            begin: None,
            opening: false,
            ancestor: None,
            preparation: None,
            next_preparation: None,
            pictures: Vec::new(),
            folders: None,
            split: None,
            measured: None,
            pending: Vec::new(),
        }
    }
}

impl<F: Clone> Journal<F> {
    /// Notes a command on its way to the engine.
    pub fn sent(&mut self, id: u64, command: &Command, files: &[F]) {
        match command {
            Command::Start { .. } => self.start = Some(command.clone()),
            Command::SetCores(_) => self.cores = Some(command.clone()),
            Command::Project(ProjectCommand::Begin { .. }) => self.begin = Some(command.clone()),
            command if job_of(command).is_some() => self.pending.push((id, (command.clone(), files.to_vec()))),
            Command::ClearPictures => {
                self.pictures.clear();
                self.folders = None;
                self.pending.retain(|(_, (command, _))| !matches!(command, Command::AddPictures { .. }));
            }
            Command::SetPreparation(_) => self.prepare(command),
            Command::SetSplit(_) => self.split = Some(command.clone()),
            // Pictures that are still looked at are not read by it: it stands behind those that are there.
            Command::ReadFolders(_) => self.folders = Some(command.clone()),
            _ => {}
        }
    }

    /// Notes what the engine answered: a job that succeeded is worth repeating, one that failed is not.
    pub fn received(&mut self, said: &Said) {
        let answers = said.answers;
        match &said.event {
            Event::Project(ProjectEvent::Opening { .. }) => {
                self.opening = true;
                self.forget();
            }
            Event::Project(ProjectEvent::Opened) => self.opening = false,
            Event::Project(ProjectEvent::Saved(Saved { is_complete: true, .. })) => self.forget(),
            Event::Ancestor(_) => {
                if let Some(entry) = self.take_pending(answers, JobKind::Open) {
                    self.ancestor = Some(entry);
                    (self.preparation, self.measured) = (self.next_preparation.take(), None);
                }
            }
            Event::Pictures(_) => {
                if let Some(entry) = self.take_pending(answers, JobKind::Pictures) {
                    self.pictures.push(entry);
                }
            }
            Event::Heads(_) => {
                if let Some((command, _)) = self.take_pending(answers, JobKind::Measure) {
                    self.measured = Some(command);
                }
            }
            Event::JobEnded { job, finished: false } => {
                let failed = self.take_pending(answers, *job);
                let is_ancestor = failed.is_some() && *job == JobKind::Open;
                self.next_preparation = self.next_preparation.take().filter(|_| !is_ancestor);
            }
            // What these leave behind (trained models) cannot be had again by repeating a command.
            // What condensing found stands on the page; no engine needs it again.
            Event::JobEnded {
                job:
                    job @ (JobKind::Condense
                    | JobKind::Survival
                    | JobKind::Train
                    | JobKind::Pool
                    | JobKind::Tied
                    | JobKind::Evaluate),
                ..
            } => drop(self.take_pending(answers, *job)),
            _ => {}
        }
    }

    /// What was answered is in the store, or belongs to another project.
    fn forget(&mut self) {
        (self.ancestor, self.preparation, self.split, self.measured) = (None, None, None, None);
        self.folders = None;
        self.pictures.clear();
    }

    /// Whether the engine is opening a project.
    pub fn is_opening(&self) -> bool {
        self.opening
    }

    /// The commands that bring a new engine to where the dead one stood, and what was under way when it died.
    /// Commands that were only waiting behind the one under way are repeated too.
    pub fn replay(&mut self) -> (Vec<Entry<F>>, Option<JobKind>) {
        self.opening = false;
        let mut waiting = std::mem::take(&mut self.pending).into_iter().map(|(_, entry)| entry);
        let guilty = waiting.next().and_then(|(command, _)| job_of(&command));
        let mut entries: Vec<Entry<F>> = Vec::new();
        entries.extend(self.start.clone().map(|command| (command, Vec::new())));
        entries.extend(self.cores.clone().map(|command| (command, Vec::new())));
        entries.extend(self.begin.clone().map(|command| (command, Vec::new())));
        entries.extend(self.ancestor.take());
        entries.extend(self.preparation.take().map(|command| (command, Vec::new())));
        entries.append(&mut self.pictures);
        entries.extend(self.folders.clone().map(|command| (command, Vec::new())));
        entries.extend(self.split.clone().map(|command| (command, Vec::new())));
        entries.extend(self.measured.take().map(|command| (command, Vec::new())));
        entries.extend(waiting.filter(|(command, _)| {
            !matches!(
                job_of(command),
                Some(
                    JobKind::Condense
                        | JobKind::Survival
                        | JobKind::Train
                        | JobKind::Pool
                        | JobKind::Tied
                        | JobKind::Evaluate
                )
            )
        }));
        (entries, guilty)
    }

    fn prepare(&mut self, command: &Command) {
        let is_opening = self.pending.iter().any(|(_, (command, _))| job_of(command) == Some(JobKind::Open));
        match is_opening {
            true => self.next_preparation = Some(command.clone()),
            false => (self.preparation, self.measured) = (Some(command.clone()), None),
        }
    }

    /// The command that was answered, if what came is what it asked for: files that an opened project waits for bring
    /// all of the project with them.
    fn take_pending(&mut self, answers: Option<u64>, job: JobKind) -> Option<Entry<F>> {
        let is_answered = |(id, (command, _)): &(u64, Entry<F>)| Some(*id) == answers && job_of(command) == Some(job);
        let at = self.pending.iter().position(is_answered)?;
        Some(self.pending.remove(at).1)
    }
}

/// The long job a command begins, if it begins one.
pub fn job_of(command: &Command) -> Option<JobKind> {
    match command {
        Command::OpenAncestor { .. } => Some(JobKind::Open),
        Command::AddPictures { .. } => Some(JobKind::Pictures),
        Command::MeasureHeads(_) => Some(JobKind::Measure),
        Command::Condense(_) => Some(JobKind::Condense),
        Command::Survive(_) => Some(JobKind::Survival),
        Command::Train(_) | Command::Experiment(_) => Some(JobKind::Train),
        Command::MakePool(_) => Some(JobKind::Pool),
        Command::LearnTied(_) => Some(JobKind::Tied),
        Command::Predict { .. } | Command::PredictValidation { .. } | Command::Confusion { .. } => {
            Some(JobKind::Evaluate)
        }
        _ => None,
    }
}
