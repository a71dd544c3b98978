//! Writes the file of a recording, and leaves out what the server does not hold.

use std::fmt::Write as _;

use super::frames::{self, Frames};
use super::template::{Fill, hex};
use super::tryout::{Lesson, Tryout};
use super::{EXCHANGES_MAX, Recording, cannot};
use crate::detect::adapt::{Held, confirm};
use crate::detect::expectation::{self, Sample};
use crate::detect::learn::parsed;
use crate::detect::prober::Prober;
use crate::detect::{DetectError, Missed, Recorded};
use crate::talk::Frame;

/// A turn of the file.
#[derive(Clone, Debug)]
struct Turn {
    lesson: Lesson,
    /// With a payload after the token.
    longer: bool,
}

/// Drafts a talk from a recording, tries it, and confirms it on fresh servers.
///
/// # Errors
/// The server does not start or cannot be reached, no file says what was recorded, or the user interrupted.
pub(crate) fn draft(
    prober: &mut Prober<'_>,
    recording: &Recording,
) -> Result<(Held, Recorded), DetectError> {
    let (frames, sessions) = frames::of(recording)?;
    let greets = recording
        .sessions
        .iter()
        .any(|session| !session.greeting.is_empty());
    let mut tryout = Tryout {
        prober,
        frames: &frames,
        greets,
    };
    let (mut lessons, mut greetings, mut left_out) = (Vec::<Lesson>::new(), Vec::new(), Vec::new());
    let mut before_plain = 0;
    for session in &sessions {
        let is_new = session.iter().any(|pair| {
            let line = super::tryout::Line::new(&frames, pair);
            !lessons
                .iter()
                .any(|known| known.line.shown() == line.shown())
        });
        if !is_new || lessons.len() >= EXCHANGES_MAX {
            continue;
        }
        let learned = tryout.learn(session)?;
        greetings.extend(learned.greetings);
        left_out.extend(learned.left_out);
        let had_plain = lessons.iter().any(|lesson| lesson.line.has_token);
        let plain = learned
            .lessons
            .iter()
            .position(|lesson| lesson.line.has_token);
        if let Some(plain) = plain.filter(|plain| !had_plain && lessons.is_empty() && *plain > 0)
            && !tryout.works_alone(&learned.lessons[plain].line)?
        {
            before_plain = plain;
        }
        for lesson in learned.lessons {
            let template =
                |lesson: &Lesson| (lesson.line.template.clone(), lesson.line.head.clone());
            if !lessons
                .iter()
                .any(|known| template(known) == template(&lesson))
            {
                lessons.push(lesson);
            }
        }
    }
    if lessons.is_empty() {
        let why = left_out.first().cloned();
        return Err(cannot(
            why.unwrap_or_else(|| "it contains no request with a reply".into()),
        ));
    }
    left_out.dedup();
    for lesson in lessons.iter().skip(EXCHANGES_MAX) {
        left_out.push(format!(
            "{}: beyond the {EXCHANGES_MAX} exchanges that a file gets",
            lesson.line.shown()
        ));
    }
    lessons.truncate(EXCHANGES_MAX);
    let opening: Vec<Lesson> = lessons
        .drain(..before_plain.min(lessons.len() - 1))
        .collect();
    let mut writer = Writer {
        frames: &frames,
        greeting: greets.then_some(greetings),
        closes: lessons.iter().all(|lesson| lesson.closes),
        opening,
        turns: turns(lessons),
    };
    writer.confirmed(tryout.prober, left_out)
}

/// The turns, the plain one first: the first whose reply repeats a word.
fn turns(lessons: Vec<Lesson>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for lesson in lessons {
        let longer = lesson.line.payload.is_some();
        turns.push(Turn {
            lesson: lesson.clone(),
            longer: false,
        });
        if longer {
            turns.push(Turn { lesson, longer });
        }
    }
    let plain = turns.iter().position(|turn| turn.lesson.line.has_token);
    let first = plain.unwrap_or_else(|| {
        let answered = |turn: &Turn| !turn.lesson.example.1.is_empty() && !turn.lesson.closes;
        turns.iter().position(answered).unwrap_or(0)
    });
    turns[..=first].rotate_right(1);
    turns
}

struct Writer<'a> {
    frames: &'a Frames,
    greeting: Option<Vec<Sample>>,
    /// The server closes the connection after every reply.
    closes: bool,
    opening: Vec<Lesson>,
    turns: Vec<Turn>,
}

impl Writer<'_> {
    /// Confirms the file, without the turns that do not hold.
    fn confirmed(
        &mut self,
        prober: &mut Prober<'_>,
        mut left_out: Vec<String>,
    ) -> Result<(Held, Recorded), DetectError> {
        loop {
            let text = self.text();
            let (sketch, file) = parsed(&text)?;
            let missed = match confirm(prober, &file)? {
                Ok(()) => {
                    let said = self.turns.iter().filter(|turn| !turn.longer).count();
                    let recorded = Recorded {
                        request: self.frames.request.toml,
                        reply: self.reply(),
                        said: said + self.opening.len(),
                        left_out,
                    };
                    let example = self.turns[0].lesson.example.clone();
                    return Ok((
                        Held {
                            sketch,
                            file,
                            example,
                            changes: Vec::new(),
                        },
                        recorded,
                    ));
                }
                Err(missed) => missed,
            };
            match place(&missed) {
                Some(turn) if turn > 0 && turn < self.turns.len() => {
                    let turn = self.turns.remove(turn);
                    if !turn.longer {
                        let shown = turn.lesson.line.shown();
                        left_out.push(format!("{shown}: {}", missed.actual));
                    }
                }
                _ => {
                    let first = self.turns[0].lesson.line.shown();
                    return Err(cannot(format!(
                        "{first}: {}\nThe draft was:\n{text}",
                        missed.phrase()
                    )));
                }
            }
        }
    }

    /// How a reply ends, in the words of the file.
    fn reply(&self) -> &'static str {
        match self.frames.reply.frame {
            Frame::None if self.closes => "\"eof\"",
            _ => self.frames.reply.toml,
        }
    }

    fn text(&self) -> String {
        let (request, reply) = (self.frames.request.toml, self.reply());
        let mut text = "[talk]\n# How a message ends.\n".to_owned();
        if request == reply {
            let _ = writeln!(text, "frame = {request}");
        } else {
            let _ = writeln!(text, "frame = {{ request = {request}, reply = {reply} }}");
        }
        if self.closes && reply != "\"eof\"" {
            text.push_str("close = \"server-after-reply\" # one request for each connection\n");
        }
        if let Some(samples) = &self.greeting {
            let bodies: Vec<Sample> = samples.iter().map(|sample| self.body(sample)).collect();
            let expect = expectation::of(&bodies).0;
            let _ = write!(
                text,
                "\n# At the begin of each connection the server speaks first.\n[[talk.open]]\nexpect = {expect}\n"
            );
        }
        for lesson in &self.opening {
            text.push_str("\n# Before anything else, as in the recording.\n[[talk.open]]\n");
            text.push_str(&self.exchange(lesson, false));
        }
        for (index, turn) in self.turns.iter().enumerate() {
            let comment = match (index, turn.longer, turn.lesson.line.has_token) {
                (_, true, _) => {
                    "{payload} stands for text whose size and bytes checks and loads vary."
                }
                (0, _, true) => {
                    "The plain exchange. {tok} is a different word in every request, so that replies can be told apart."
                }
                (0, _, false) => "The plain exchange. Its reply repeats nothing of the request.",
                _ => "As in the recording.",
            };
            let _ = write!(text, "\n# {comment}\n[[talk.turn]]\n");
            text.push_str(&self.exchange(&turn.lesson, turn.longer));
            if turn.lesson.closes && !self.closes {
                text.push_str("last = true # the server closes the connection after it\n");
            }
        }
        text
    }

    fn body(&self, sample: &Sample) -> Sample {
        let reply = self.frames.reply.only_body(&sample.reply);
        let delimited = self.frames.reply.frame.is_delimited();
        Sample {
            reply: reply
                .filter(|_| delimited)
                .unwrap_or_else(|| sample.reply.clone()),
            ..sample.clone()
        }
    }

    fn exchange(&self, lesson: &Lesson, longer: bool) -> String {
        let line = &lesson.line;
        let (fill, samples) = match line.payload.filter(|_| longer) {
            Some(fill) => (fill, &lesson.with_payload),
            None => (Fill::Token, &lesson.samples),
        };
        let mut text = String::new();
        if line.head.iter().any(|byte| *byte != 0) {
            let _ = writeln!(text, "head = {}", hex(&line.head));
        }
        let expect = match lesson.example.1.is_empty() {
            true if lesson.closes => "\"eof\"".to_owned(),
            true => "{ none = true }".to_owned(),
            false => expectation::of(samples).0,
        };
        let _ = write!(
            text,
            "send = {}\nexpect = {expect}\n",
            line.template.toml(fill)
        );
        text
    }
}

/// The number of the turn that was missed.
fn place(missed: &Missed) -> Option<usize> {
    let number = missed.label.strip_prefix("talk.turn[")?.strip_suffix(']')?;
    number.parse().ok()
}
