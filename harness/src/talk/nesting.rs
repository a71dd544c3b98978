//! Values that contain values.

use super::frame::Frame;
use super::template::Bindings;
use super::{Exchange, Talk, Tokens};

/// How a request can contain values in values.
#[derive(Debug, Clone, Copy)]
pub enum Nesting<'a> {
    /// Requests are values of RESP.
    Resp,
    /// The request of this exchange is a JSON value.
    Json(&'a Exchange),
}

impl Talk {
    /// How a request can contain values in values, if the talk shows that.
    pub fn nesting(&self) -> Option<Nesting<'_>> {
        if self.request == Frame::Resp {
            return Some(Nesting::Resp);
        }
        let mut turns = self.turns.iter();
        turns.find(|turn| self.sends_json(turn)).map(Nesting::Json)
    }

    /// Whether the request is a JSON object or array.
    fn sends_json(&self, exchange: &Exchange) -> bool {
        let bindings = Bindings {
            tok: Tokens::new(0).next(),
            payload: b"ping".to_vec(),
            ..Bindings::default()
        };
        let Ok(turn) = exchange.render(self, &bindings) else {
            return false;
        };
        let content = self.request.content(&turn.request);
        serde_json::from_slice::<serde_json::Value>(&content)
            .is_ok_and(|value| value.is_object() || value.is_array())
    }
}
