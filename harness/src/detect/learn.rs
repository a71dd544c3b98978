//! Learns a talk from the replies, for a server that speaks no built-in one.

use std::fmt::Write as _;

use super::adapt::{Held, confirm, confirm_at_once};
use super::expectation::{self, Sample};
use super::heard::Heard;
use super::prober::Prober;
use super::{
    Compared, DetectError, Ending, FIRST_WORD, LATE_GREETING, Learned, Missed, Sketch, no_talk,
};
use crate::file::File;

/// Replies that are compared to find out what they have in common.
const SAMPLES: usize = 3;
/// The most bytes of a reply from which a talk is learned.
const REPLY_BYTES_MAX: usize = 8 * 1024;

/// The requests that are tried, without their ends.
const WORD: &str = "{tok}";
const JSON: &str = r#"{"id":"{tok}"}"#;

/// A talk that was learned and confirmed, or what was missed when it was to be confirmed; `None` if the server said
/// nothing to learn from.
pub(super) type LearnedTalk = Result<(Held, Learned), Option<Missed>>;

/// Learns a talk from what the server answers.
///
/// # Errors
/// The server does not start or cannot be reached, or the user interrupted.
pub(super) fn learn(prober: &mut Prober<'_>, said: &[Heard]) -> Result<LearnedTalk, DetectError> {
    let greeting = match said.first() {
        Some(heard) if heard.is_answered() && heard.is_closed() => return Ok(Err(None)),
        Some(heard) if heard.is_answered() => Some(greeting(prober, heard)?),
        _ => None,
    };
    let opened = match &greeting {
        None => no_talk()?,
        Some(greeting) => opened(greeting)?,
    };
    let Some(stimulus) = stimulus(prober, &opened, said)? else {
        return Ok(Err(None));
    };
    let mut teacher = Teacher {
        prober,
        opened,
        stimulus,
        greeting,
    };
    teacher.learn()
}

/// What a request consists of, and how it ends.
#[derive(Clone, Debug)]
struct Stimulus {
    body: &'static str,
    ending: Ending,
}

impl Stimulus {
    /// The template of a request, with a payload if asked for.
    fn template(&self, payload: bool) -> String {
        let body = match (self.body, payload) {
            (JSON, true) => r#"{"id":"{tok}","text":"{payload}"}"#.to_owned(),
            (body, true) => format!("{body} {{payload}}"),
            (body, false) => body.to_owned(),
        };
        body + bytes_of(&self.ending)
    }

    fn request(&self, token: &str, payload: &str) -> Vec<u8> {
        let template = self.template(!payload.is_empty());
        let filled = template
            .replace("{tok}", token)
            .replace("{payload}", payload);
        filled.into_bytes()
    }
}

fn bytes_of(ending: &Ending) -> &'static str {
    match ending {
        Ending::Lf => "\n",
        Ending::Crlf => "\r\n",
        Ending::Lines(_) | Ending::Close | Ending::Unmarked => "",
    }
}

/// The greeting: its expectation and its frame.
struct Greeting {
    expect: String,
    ending: Ending,
}

fn greeting(prober: &mut Prober<'_>, first: &Heard) -> Result<Greeting, DetectError> {
    let talk = no_talk()?;
    let mut heard = vec![first.clone()];
    while heard.len() < SAMPLES {
        // Another life of the server may greet with other numbers.
        prober.fresh()?;
        heard.push(prober.hear(&talk, "", b"", LATE_GREETING)?);
    }
    let samples: Vec<Sample> = heard.iter().map(sample).collect();
    Ok(Greeting {
        expect: expectation::of(&samples).0,
        ending: ending(&heard),
    })
}

/// A talk that only consists of the greeting, to send something after it.
fn opened(greeting: &Greeting) -> Result<File, DetectError> {
    let text = format!(
        "[talk]\nframe = \"none\"\n{}\n[[talk.turn]]\nsend = \"{{tok}}\"\nexpect = \"{{tok}}\"\n",
        opening(greeting)
    );
    parsed(&text).map(|(_, file)| file)
}

fn opening(greeting: &Greeting) -> String {
    format!(
        "\n# At the begin of each connection the server speaks first.\n[[talk.open]]\nexpect = {}\n{}",
        greeting.expect,
        frame_line(&greeting.ending)
    )
}

fn frame_line(ending: &Ending) -> String {
    format!("frame = {}\n", frame(ending))
}

fn frame(ending: &Ending) -> String {
    match ending {
        Ending::Lf => r#"{ until = "\n" }"#.to_owned(),
        Ending::Crlf => r#"{ until = "\r\n" }"#.to_owned(),
        Ending::Lines(lines) => format!("{{ lines = {lines} }}"),
        Ending::Close => "\"eof\"".to_owned(),
        Ending::Unmarked => "\"none\"".to_owned(),
    }
}

fn parsed(text: &str) -> Result<(Sketch, File), DetectError> {
    let failed = |error: String| DetectError::Failed(format!("a learned talk is wrong: {error}"));
    let sketch = Sketch::parse(text).map_err(|error| failed(error.to_string()))?;
    let file = sketch
        .file("custom")
        .map_err(|error| failed(error.to_string()))?;
    Ok((sketch, file))
}

/// The first request that the server answers.
fn stimulus(
    prober: &mut Prober<'_>,
    opened: &File,
    said: &[Heard],
) -> Result<Option<Stimulus>, DetectError> {
    let mut found = None;
    for ending in [Ending::Unmarked, Ending::Lf, Ending::Crlf] {
        let stimulus = Stimulus { body: WORD, ending };
        let before = said.iter().find(|heard| {
            !heard.sent.is_empty() && heard.sent == stimulus.request(&heard.token, "")
        });
        let heard = match before {
            Some(heard) => heard.clone(),
            None => ask(prober, opened, &stimulus, false)?.0,
        };
        if heard.is_answered() {
            found = Some((stimulus, heard));
            break;
        }
    }
    let Some((stimulus, heard)) = found else {
        return Ok(None);
    };
    if is_json(&heard.got) && stimulus.ending != Ending::Unmarked {
        let json = Stimulus {
            body: JSON,
            ..stimulus.clone()
        };
        let (heard, _) = ask(prober, opened, &json, false)?;
        if is_json(&heard.got) {
            return Ok(Some(json));
        }
    }
    Ok(Some(stimulus))
}

fn is_json(reply: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(reply).is_ok_and(|value| value.is_object())
}

/// Asks once on a new connection.
fn ask(
    prober: &mut Prober<'_>,
    opened: &File,
    stimulus: &Stimulus,
    payload: bool,
) -> Result<(Heard, String), DetectError> {
    let token = prober.token();
    // A payload of letters only, so that it is no token; its length differs from one to the next.
    let payload = if payload {
        let word = prober.token().replace(|c: char| c.is_ascii_digit(), "");
        format!("pay{word}")
    } else {
        String::new()
    };
    prober.fresh()?;
    let request = stimulus.request(&token, &payload);
    let heard = prober.hear(opened, &token, &request, FIRST_WORD)?;
    Ok((heard, payload))
}

fn sample(heard: &Heard) -> Sample {
    Sample {
        token: heard.token.clone(),
        payload: String::new(),
        reply: heard.got.clone(),
    }
}

/// How the replies end.
fn ending(heard: &[Heard]) -> Ending {
    let lines = |heard: &Heard| heard.got.iter().filter(|byte| **byte == b'\n').count();
    let all = |holds: &dyn Fn(&Heard) -> bool| heard.iter().all(holds);
    let count = heard.first().map_or(0, lines);
    let ends_in_line = all(&|heard| heard.got.ends_with(b"\n") && lines(heard) == count);
    match count {
        1 if ends_in_line && all(&|heard| heard.got.ends_with(b"\r\n")) => Ending::Crlf,
        1 if ends_in_line => Ending::Lf,
        _ if all(&Heard::is_closed) => Ending::Close,
        count if ends_in_line => Ending::Lines(count),
        _ => Ending::Unmarked,
    }
}

/// Learns the rest once it is known which requests the server answers.
struct Teacher<'a, 'b> {
    prober: &'a mut Prober<'b>,
    opened: File,
    stimulus: Stimulus,
    greeting: Option<Greeting>,
}

/// The replies to one kind of request.
struct Lesson {
    heard: Vec<Heard>,
    expect: String,
    compared: Compared,
}

impl Teacher<'_, '_> {
    fn learn(&mut self) -> Result<LearnedTalk, DetectError> {
        let Some(plain) = self.lesson(false)? else {
            return Ok(Err(None));
        };
        let learned = Learned {
            request: self.stimulus.ending.clone(),
            reply: ending(&plain.heard),
            compared: plain.compared,
        };
        let closes = plain.heard.iter().all(Heard::is_closed);
        let payload = self.lesson(true)?;
        let payload = payload.filter(|lesson| ending(&lesson.heard) == learned.reply);
        let mut missed = None;
        for payload in payload.iter().map(Some).chain([None]) {
            let text = self.text(&plain, payload, &learned, closes);
            let (sketch, file) = parsed(&text)?;
            let confirmed = if self.prober.settles() {
                confirm(self.prober, &file)?
            } else {
                confirm_at_once(self.prober, &file)?
            };
            match confirmed {
                Ok(()) => {
                    let example = plain.heard.first();
                    let example = example.map(|heard| (heard.sent.clone(), heard.got.clone()));
                    let held = Held {
                        sketch,
                        file,
                        example: example.unwrap_or_default(),
                        changes: Vec::new(),
                    };
                    return Ok(Ok((held, learned)));
                }
                Err(why) => missed = Some(why),
            }
        }
        Ok(Err(missed))
    }

    /// Several replies to requests with or without a payload. `None` if one of them has no reply, or a long one.
    fn lesson(&mut self, payload: bool) -> Result<Option<Lesson>, DetectError> {
        let (mut heard, mut samples) = (Vec::new(), Vec::new());
        while heard.len() < SAMPLES {
            let (one, payload) = ask(self.prober, &self.opened, &self.stimulus, payload)?;
            if !(1..=REPLY_BYTES_MAX).contains(&one.got.len()) {
                return Ok(None);
            }
            samples.push(Sample {
                payload,
                ..sample(&one)
            });
            heard.push(one);
        }
        let (expect, compared) = expectation::of(&samples);
        Ok(Some(Lesson {
            heard,
            expect,
            compared,
        }))
    }

    fn text(
        &self,
        plain: &Lesson,
        payload: Option<&Lesson>,
        learned: &Learned,
        closes: bool,
    ) -> String {
        let (request, reply) = (frame(&learned.request), frame(&learned.reply));
        let mut text = "[talk]\n# How a message ends.\n".to_owned();
        if request == reply {
            let _ = writeln!(text, "frame = {request}");
        } else {
            let _ = writeln!(text, "frame = {{ request = {request}, reply = {reply} }}");
        }
        if closes && learned.reply != Ending::Close {
            text.push_str("close = \"server-after-reply\" # one request for each connection\n");
        }
        if let Some(greeting) = &self.greeting {
            text.push_str(&opening(greeting));
        }
        let comment = "The plain exchange. {tok} is a different word in every request, so that replies can be told apart.";
        text.push_str(&self.turn(comment, false, plain));
        if let Some(payload) = payload {
            let comment = "{payload} stands for text whose size and bytes checks and loads vary.";
            text.push_str(&self.turn(comment, true, payload));
        }
        text
    }

    fn turn(&self, comment: &str, payload: bool, lesson: &Lesson) -> String {
        let send = expectation::string(&self.stimulus.template(payload));
        format!(
            "\n# {comment}\n[[talk.turn]]\nsend = {send}\nexpect = {}\n",
            lesson.expect
        )
    }
}
