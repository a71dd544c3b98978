//! Which built-in talks are worth trying, and in which order. Pure: it knows the talks and what the server said.

use super::Sketch;
use super::heard::Heard;
use crate::file::{self, File};
use crate::talk::{Bindings, Exchange, Expect, Judgement, Opening, Talk};

/// A built-in talk that the server may speak.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub name: &'static str,
    pub sketch: Sketch,
    pub file: File,
    /// Whether what the server said speaks for it.
    pub likely: bool,
}

/// The built-in talks that what the server said does not rule out, the likely ones first.
pub(super) fn in_order(said: &[Heard]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = file::BUILTIN
        .iter()
        .filter_map(|(name, ..)| candidate(name, said))
        .collect();
    candidates.sort_by_key(|candidate| !candidate.likely);
    candidates
}

fn candidate(name: &'static str, said: &[Heard]) -> Option<Candidate> {
    let file = file::builtin(name)?;
    // A mute server would hold an exchange without a reply.
    if matches!(file.talk.plain().expect, Expect::NoReply | Expect::Eof) {
        return None;
    }
    let greeted = said
        .iter()
        .any(|heard| heard.sent.is_empty() && heard.is_answered());
    let answers = || said.iter().filter(|heard| heard.is_answered());
    let likely = match greeting(&file.talk) {
        // A greeting may be late, and then it looks like an answer.
        Some(greeting) => {
            if !answers().any(|heard| fits(greeting, &file.talk, heard)) {
                return None;
            }
            true
        }
        None if greeted && !is_pushed(&file.talk, said) => return None,
        None => {
            let refusals = file.talk.bad.iter();
            let mut telling = refusals.filter(|bad| is_telling(&bad.expect));
            telling.any(|bad| answers().any(|heard| fits(bad, &file.talk, heard)))
                || said.iter().any(is_sent_back) && is_echo(&file.talk)
        }
    };
    Some(Candidate {
        name,
        sketch: Sketch::of_builtin(name)?,
        file,
        likely,
    })
}

/// The exchange with which the server speaks first.
fn greeting(talk: &Talk) -> Option<&Exchange> {
    match talk.open.first() {
        Some(Opening::Exchange(exchange)) if exchange.send.is_none() => Some(exchange),
        _ => None,
    }
}

/// Whether this talk expects what the server said first at any time.
fn is_pushed(talk: &Talk, said: &[Heard]) -> bool {
    let mut greetings = said.iter().filter(|heard| heard.sent.is_empty());
    greetings.any(|heard| talk.pushed(&talk.reply, &heard.got).is_some())
}

/// Whether the server sent back what it was sent, and nothing else.
fn is_sent_back(heard: &Heard) -> bool {
    let is_silent = heard.token.is_empty() || heard.got.is_empty();
    !is_silent && heard.got.trim_ascii() == heard.sent.trim_ascii()
}

/// Whether a server that sends everything back speaks this talk.
fn is_echo(talk: &Talk) -> bool {
    let bindings = Bindings {
        tok: "abcdefgh1234".into(),
        ..Bindings::default()
    };
    let turn = talk.plain().render(talk, &bindings);
    turn.is_ok_and(|turn| matches!(turn.judge_message(&turn.request), Judgement::Match(_)))
}

/// A refusal that says anything about the protocol: the absence of a text does not, nor does a close.
fn is_telling(expect: &Expect) -> bool {
    !matches!(expect, Expect::Not(_) | Expect::Eof)
}

fn fits(exchange: &Exchange, talk: &Talk, heard: &Heard) -> bool {
    let bindings = Bindings {
        tok: heard.token.clone(),
        ..Bindings::default()
    };
    // An exchange that needs other values cannot be judged here.
    let Ok(turn) = exchange.render(talk, &bindings) else {
        return false;
    };
    matches!(turn.judge_message(&heard.got), Judgement::Match(_))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::ConnectionEnd;

    fn heard(sent: &str, got: &str) -> Heard {
        Heard {
            sent: sent.into(),
            token: "abcdefgh1234".into(),
            got: got.into(),
            end: ConnectionEnd::StillOpen,
            waited: Duration::ZERO,
            took: Duration::ZERO,
            died: None,
            failed: None,
        }
    }

    fn names(said: &[Heard]) -> (Vec<&'static str>, usize) {
        let candidates = in_order(said);
        let likely = candidates
            .iter()
            .filter(|candidate| candidate.likely)
            .count();
        (
            candidates.iter().map(|candidate| candidate.name).collect(),
            likely,
        )
    }

    #[test]
    fn a_greeting_selects_the_talks_that_expect_it() {
        let (names, likely) = names(&[heard("", "220 mail.example.org ESMTP Postfix\r\n")]);
        assert!(names.contains(&"smtp"), "{names:?}");
        assert!(
            !names.contains(&"redis") && likely == names.len(),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_sent_back_speaks_for_the_talks_that_do_that() {
        let sent = "abcdefgh1234\n";
        let (all, likely) = names(&[heard(sent, sent)]);
        let likely = &all[..likely];
        assert!(likely.contains(&"line"), "{likely:?}");
        assert!(!likely.contains(&"redis"), "{likely:?}");
        let mut silent = heard("", "");
        silent.token.clear();
        let (_, likely) = names(&[silent]);
        assert_eq!(likely, 0);
    }

    #[test]
    fn an_answer_to_nonsense_comes_first() {
        for (answer, talk) in [
            (
                "-ERR unknown command 'abcdefgh1234', with args\r\n",
                "redis",
            ),
            ("UNKNOWN_COMMAND\r\n", "beanstalkd"),
            ("ERROR\r\n", "memcached"),
            (
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                "http",
            ),
        ] {
            let (names, likely) = names(&[heard("", ""), heard("abcdefgh1234\n", answer)]);
            assert!(names[..likely].contains(&talk), "{talk}: {names:?}");
            assert!(!names.contains(&"smtp"), "{talk}: {names:?}");
        }
    }

    #[test]
    fn a_late_greeting_counts() {
        let (names, _) = names(&[heard("", ""), heard("abcdefgh1234", "220 late ESMTP\r\n")]);
        assert_eq!(names[0], "smtp");
    }
}
