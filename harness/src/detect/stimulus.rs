//! Requests without a meaning that an unknown server may answer.

use super::framing::{self, Framing, LENGTHS};
use super::heard::Heard;
use super::prober::Prober;
use super::{BLIND, DetectError, Ending, FIRST_WORD};
use crate::file::File;

/// The requests that are tried, without their ends.
const WORD: &str = "{tok}";
const JSON: &str = r#"{"id":"{tok}"}"#;

/// What a request consists of, and how it ends.
#[derive(Clone, Debug)]
pub(super) struct Stimulus {
    body: &'static str,
    pub(super) ending: Ending,
    /// The length before each message, if there is one.
    pub(super) length: Option<Framing>,
}

impl Stimulus {
    /// The template of a request, with a payload if asked for.
    pub(super) fn template(&self, payload: bool) -> String {
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
        match &self.length {
            Some(length) => length.frame.wrap(filled.as_bytes()),
            None => filled.into_bytes(),
        }
    }
}

fn bytes_of(ending: &Ending) -> &'static str {
    match ending {
        Ending::Lf => "\n",
        Ending::Crlf => "\r\n",
        Ending::Lines(_) | Ending::Framed(_) | Ending::Close | Ending::Unmarked => "",
    }
}

/// The first request that the server answers.
pub(super) fn stimulus(
    prober: &mut Prober<'_>,
    opened: &File,
    said: &[Heard],
) -> Result<Option<Stimulus>, DetectError> {
    let mut found = None;
    for ending in [Ending::Unmarked, Ending::Lf, Ending::Crlf] {
        let stimulus = Stimulus {
            body: WORD,
            ending,
            length: None,
        };
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

/// A request after a binary length, if the server answers one in the same form.
pub(super) fn with_length(
    prober: &mut Prober<'_>,
    opened: &File,
) -> Result<Option<Stimulus>, DetectError> {
    for length in Framing::all(LENGTHS) {
        let stimulus = Stimulus {
            body: WORD,
            ending: Ending::Framed(length.toml),
            length: Some(length.clone()),
        };
        let (heard, _) = ask(prober, opened, &stimulus, false)?;
        let body = length.only_body(&heard.got);
        let Some(body) = body.filter(|body| !body.is_empty()) else {
            continue;
        };
        if let Some(part) = framing::part_of_header(&length.frame, &heard.sent) {
            prober.fresh()?;
            if prober.hear(opened, "", part, BLIND)?.is_answered() {
                continue;
            }
        }
        let json = Stimulus {
            body: JSON,
            ..stimulus.clone()
        };
        if is_json(&body) {
            let (heard, _) = ask(prober, opened, &json, false)?;
            if length
                .only_body(&heard.got)
                .is_some_and(|body| is_json(&body))
            {
                return Ok(Some(json));
            }
        }
        return Ok(Some(stimulus));
    }
    Ok(None)
}

fn is_json(reply: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(reply).is_ok_and(|value| value.is_object())
}

/// Asks once on a new connection.
pub(super) fn ask(
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
