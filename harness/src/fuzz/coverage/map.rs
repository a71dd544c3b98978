//! Memory that a server shares with tcprove: a byte for each place, which is not zero once the place was reached.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::source::{Pace, Sight};
use crate::process::{Server, StartOptions};
use crate::sys::SharedWords;

/// The byte of a place that need not be told any more.
const LEFT_OUT: u8 = 0x80;
/// What remains of four bytes without that.
const REACHED: u32 = 0x7f7f_7f7f;
/// Bytes in a word.
const WORD: usize = size_of::<u32>();

/// Whether each place need not be told any more.
#[derive(Debug)]
pub(super) struct LeftOut(Box<[AtomicBool]>);

impl LeftOut {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self((0..places).map(|_| AtomicBool::new(false)).collect()))
    }

    pub(super) fn places(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&self, place: u32) {
        if let Some(flag) = self.0.get(place as usize) {
            flag.store(true, Relaxed);
        }
    }

    /// The bytes of the four places from this word on, if none was reached.
    fn word(&self, at: usize) -> u32 {
        let flags = self.0[at * WORD..].first_chunk::<WORD>();
        let bytes = flags.map(|flags| flags.each_ref().map(|flag| flag.load(Relaxed)));
        let bytes = bytes.unwrap_or_default();
        u32::from_ne_bytes(bytes.map(|is_out| if is_out { LEFT_OUT } else { 0 }))
    }
}

/// The map of one life of a server.
#[derive(Debug)]
pub(super) struct Map {
    /// The header, then the places.
    words: SharedWords,
    form: Form,
    /// Environment variables by which the server finds the map.
    env: Vec<(String, String)>,
    /// Places that are to be told again.
    wanted: Mutex<Vec<u32>>,
    /// Something was reached.
    is_used: AtomicBool,
}

/// How the server writes to the map.
#[derive(Debug)]
pub(super) enum Form {
    /// It counts every execution in the byte of its place. What to say if it does not.
    Counters(&'static str),
    /// It has a header of [`HEADER`] words, and tells a place only as long as it is new.
    Hook {
        left_out: Arc<LeftOut>,
        /// Why the hook sees nothing, by the state in the header.
        trouble: fn(u32) -> Option<String>,
        /// Removed with the map.
        file: PathBuf,
    },
}

/// Words before the places: whether a place was written, the state of the hook, and the number of the last question that it
/// has answered. The rest is unused.
pub(super) const HEADER: usize = 16;
const WRITTEN: usize = 0;
const STATE: usize = 1;
const ANSWERED: usize = 2;

impl Map {
    pub(super) fn new(words: SharedWords, form: Form, env: Vec<(String, String)>) -> Self {
        let map = Self {
            words,
            form,
            env,
            wanted: Mutex::default(),
            is_used: AtomicBool::new(false),
        };
        if let Form::Hook { left_out, .. } = &map.form {
            for (at, word) in map.places().iter().enumerate() {
                word.store(left_out.word(at), Relaxed);
            }
        }
        map
    }

    fn places(&self) -> &[std::sync::atomic::AtomicU32] {
        match self.form {
            Form::Counters(_) => &self.words,
            Form::Hook { .. } => &self.words[HEADER..],
        }
    }

    fn wanted(&self) -> MutexGuard<'_, Vec<u32>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last question that the hook has answered.
    pub(super) fn answer(&self) -> u32 {
        self.words[ANSWERED].load(Acquire)
    }

    /// The file to which questions for the hook are written.
    ///
    /// # Errors
    /// It cannot be created.
    pub(super) fn questions(&self) -> io::Result<File> {
        let Some(path) = self.questions_path() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let file = File::create_new(path)?;
        file.set_len(WORD as u64)?;
        Ok(file)
    }

    fn questions_path(&self) -> Option<PathBuf> {
        match &self.form {
            Form::Counters(_) => None,
            Form::Hook { file, .. } => Some(file.with_extension("ask")),
        }
    }

    /// Whether a place was written since the last call, as far as that is known.
    fn is_written(&self) -> bool {
        match self.form {
            Form::Counters(_) => true,
            Form::Hook { .. } => self.words[WRITTEN].swap(0, AcqRel) != 0,
        }
    }

    /// The byte of a place without the flag.
    fn byte(&self, place: u32) -> u8 {
        let place = place as usize;
        let word = self.places().get(place / WORD);
        let word = word.map_or(0, |word| word.load(Acquire)) & self.mask();
        word.to_ne_bytes()[place % WORD]
    }

    fn mask(&self) -> u32 {
        match self.form {
            Form::Counters(_) => u32::MAX,
            Form::Hook { .. } => REACHED,
        }
    }
}

impl Sight for Map {
    fn prepare(&self, options: &mut StartOptions) {
        options.env.extend(self.env.iter().cloned());
    }

    fn trouble(&self) -> Option<String> {
        match &self.form {
            Form::Counters(unused) => (!self.is_used.load(Relaxed)).then(|| (*unused).to_owned()),
            Form::Hook { trouble, .. } => trouble(self.words[STATE].load(Acquire)),
        }
    }

    fn take(&self, _: Pace) -> Vec<u32> {
        self.wanted().clear();
        let mut reached = Vec::new();
        if !self.is_written() {
            return reached;
        }
        let mask = self.mask();
        for (at, word) in self.places().iter().enumerate() {
            if word.load(Relaxed) & mask == 0 {
                continue;
            }
            // In between, another process may have written: that is what the mark of the next case shows.
            let after = match &self.form {
                Form::Counters(_) => 0,
                Form::Hook { left_out, .. } => left_out.word(at),
            };
            let bytes = (word.swap(after, AcqRel) & mask).to_ne_bytes();
            let hit = (0..WORD).filter(|byte| bytes[*byte] != 0);
            reached.extend(hit.map(|byte| (at * WORD + byte) as u32));
        }
        self.is_used.fetch_or(!reached.is_empty(), Relaxed);
        reached
    }

    fn again(&self, places: &[u32], _: &Server) -> bool {
        for place in places {
            let at = *place as usize;
            if let Some(word) = self.places().get(at / WORD) {
                let mut keep = [u8::MAX; WORD];
                keep[at % WORD] = 0;
                word.fetch_and(u32::from_ne_bytes(keep), AcqRel);
            }
        }
        places.clone_into(&mut self.wanted());
        true
    }

    fn mark(&self) -> usize {
        let wanted = self.wanted();
        wanted
            .iter()
            .filter(|place| self.byte(**place) != 0)
            .count()
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Form::Hook { file, .. } = &self.form {
            // Its folder is removed at the end.
            let _ = std::fs::remove_file(file);
            let _ = self.questions_path().map(std::fs::remove_file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory_file;

    fn words() -> (SharedWords, SharedWords) {
        let file = memory_file("test").unwrap();
        file.set_len(4096).unwrap();
        let map = || SharedWords::map(&file, 64).unwrap();
        (map(), map())
    }

    fn add(words: &SharedWords, byte: usize, value: u8) {
        let mut bytes = [0; WORD];
        bytes[byte % WORD] = value;
        words[byte / WORD].fetch_add(u32::from_ne_bytes(bytes), Relaxed);
    }

    #[test]
    fn counters_tell_every_execution() {
        let (ours, theirs) = words();
        let map = Map::new(ours, Form::Counters("not used"), Vec::new());
        assert_eq!(map.trouble().as_deref(), Some("not used"));
        assert!(map.take(Pace::Now).is_empty());
        for _ in 0..2 {
            add(&theirs, 3, 200);
            add(&theirs, 9, 1);
            assert_eq!(map.take(Pace::Now), [3, 9]);
        }
        assert_eq!((map.trouble(), map.take(Pace::Now)), (None, vec![]));
    }

    #[test]
    fn a_hook_need_not_tell_what_was_left_out() {
        let (ours, theirs) = words();
        let left_out = LeftOut::new((64 - HEADER) * WORD);
        left_out.add(6);
        left_out.add(u32::MAX);
        let form = Form::Hook {
            left_out: left_out.clone(),
            trouble: |state| (state != 1).then(|| "no".into()),
            file: "/nonexistent".into(),
        };
        let map = Map::new(ours, form, Vec::new());
        let place = |place: usize| HEADER * WORD + place;
        let byte =
            |number: usize| theirs[place(number) / WORD].load(Relaxed).to_ne_bytes()[number % WORD];
        assert_eq!(
            (byte(5), byte(6), map.trouble().is_some()),
            (0, LEFT_OUT, true)
        );
        theirs[STATE].store(1, Relaxed);
        assert_eq!(map.trouble(), None);
        add(&theirs, place(5), 1);
        assert!(
            map.take(Pace::Now).is_empty(),
            "the header does not say so yet"
        );
        theirs[WRITTEN].store(1, Relaxed);
        assert_eq!(
            (map.take(Pace::Now), byte(5), byte(6)),
            (vec![5], 0, LEFT_OUT)
        );
        left_out.add(5);
        add(&theirs, place(5), 1);
        theirs[WRITTEN].store(1, Relaxed);
        assert_eq!((map.take(Pace::Now), byte(5)), (vec![5], LEFT_OUT));
    }
}
