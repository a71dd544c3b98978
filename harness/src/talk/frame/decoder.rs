//! Cuts messages out of a stream, however it is segmented.

use memchr::memchr;

use super::delimiters::Delimiters;
use super::header::{HEAD_BYTES_MAX, HeaderFrame, endless, is_empty};
use super::http1::HttpState;
use super::resp::RespState;
use super::several::Several;
use super::{Frame, FrameError, MESSAGE_BYTES_MAX, websocket};

/// Finds the end of one message after the other.
///
/// The decoder stores no bytes, only its position. The caller keeps all bytes of the current
/// message in a buffer that starts with the message's first byte, calls [`Decoder::next`] whenever
/// more bytes arrive, removes the message once its length is known, and calls [`Decoder::reset`].
#[derive(Debug, Clone)]
pub struct Decoder {
    frame: Frame,
    state: DecoderState,
}

#[derive(Debug, Clone, Default)]
struct DecoderState {
    /// All bytes before this offset have been examined.
    scanned: usize,
    /// Start of the line that contains `scanned`.
    line_start: usize,
    lines: usize,
    /// Start of the first frame that is not complete, of a message of several.
    frame_start: usize,
    /// Decodes the frames of a message of several.
    each: Option<Box<Decoder>>,
    /// End of the message, once it is known.
    end: Option<usize>,
    resp: RespState,
    http: HttpState,
}

impl Decoder {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            frame,
            state: DecoderState::default(),
        }
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Starts a new message: the buffer now starts with its first byte.
    pub fn reset(&mut self) {
        self.state = DecoderState::default();
    }

    /// The length of the message at the start of `buffer`, if it is complete.
    ///
    /// `buffer` contains everything received of the current message, and possibly of later ones.
    ///
    /// # Errors
    /// The bytes are not a message of this frame, or it is longer than `MESSAGE_BYTES_MAX`.
    pub fn next(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let found = self.look(buffer)?;
        match found {
            Some(len) if len > MESSAGE_BYTES_MAX => Err(FrameError::TooLong {
                declared: len as u64,
            }),
            None if self.frame.is_delimited() && buffer.len() > MESSAGE_BYTES_MAX => {
                Err(FrameError::TooLong {
                    declared: buffer.len() as u64,
                })
            }
            found => Ok(found),
        }
    }

    /// Called at the end of the stream: the length of the message that this completes, or `None` if
    /// the buffer is empty.
    ///
    /// # Errors
    /// Like [`Decoder::next`], and [`FrameError::Truncated`] if the stream ended inside a message.
    pub fn finish(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        if buffer.is_empty() {
            return Ok(None);
        }
        if let Some(len) = self.next(buffer)? {
            return Ok(Some(len));
        }
        let ends_at_eof = match self.frame {
            Frame::Eof | Frame::None => true,
            Frame::Http1 => self.state.http.ends_at_eof(),
            _ => false,
        };
        if ends_at_eof {
            return Ok(Some(buffer.len()));
        }
        Err(FrameError::Truncated {
            received: buffer.len(),
        })
    }

    fn look(&mut self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let state = &mut self.state;
        match &self.frame {
            Frame::Until(delimiters) => Ok(state.until(delimiters, buffer)),
            Frame::LastLine(pattern) => Ok(state.line(buffer, |line, _| pattern.is_match(line))),
            Frame::Lines(wanted) => Ok(state.line(buffer, |_, count| count == *wanted)),
            Frame::Len(len) => Ok(len.message_len(buffer)?.filter(|len| *len <= buffer.len())),
            Frame::Header(header) => state.header(header, buffer),
            Frame::WebSocket => websocket::message_len(buffer, &mut state.frame_start),
            Frame::Several(several) => state.several(several, buffer),
            Frame::Fixed(len) => Ok(Some(*len).filter(|len| *len <= buffer.len())),
            Frame::Resp => state.resp.look(buffer),
            Frame::Http1 => state.http.look(buffer),
            Frame::Eof | Frame::None => Ok(None),
        }
    }
}

impl DecoderState {
    fn until(&mut self, delimiters: &Delimiters, buffer: &[u8]) -> Option<usize> {
        // The previous call may have stopped inside a delimiter.
        let from = self.scanned.saturating_sub(delimiters.longest() - 1);
        if let Some(end) = delimiters.end_in(buffer.get(from..)?) {
            return Some(from + end);
        }
        self.scanned = buffer.len();
        None
    }

    fn header(&mut self, header: &HeaderFrame, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        if self.end.is_none() {
            let Some(head) = self.line(buffer, |line, _| is_empty(line)) else {
                return match buffer.len() > HEAD_BYTES_MAX {
                    true => Err(endless()),
                    false => Ok(None),
                };
            };
            self.end = Some(header.message_len(&buffer[..head])?);
        }
        Ok(self.end.filter(|end| *end <= buffer.len()))
    }

    fn several(&mut self, several: &Several, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let each = self
            .each
            .get_or_insert_with(|| Box::new(several.each.decoder()));
        while self.end.is_none() {
            let rest = buffer.get(self.frame_start..).unwrap_or_default();
            let Some(len) = each.next(rest)? else {
                return Ok(None);
            };
            each.reset();
            let end = self.frame_start + len;
            if several.last.is_match(&rest[..len]) {
                self.end = Some(end);
            }
            self.frame_start = end;
        }
        Ok(self.end)
    }

    /// Passes each line, including its `\n`, and its number to `is_last` until it returns true.
    fn line(&mut self, buffer: &[u8], is_last: impl Fn(&[u8], usize) -> bool) -> Option<usize> {
        while let Some(at) = memchr(b'\n', buffer.get(self.scanned..)?) {
            let end = self.scanned + at + 1;
            self.lines += 1;
            if is_last(&buffer[self.line_start..end], self.lines) {
                // Stay before this line, so that the next call gives the same result.
                self.lines -= 1;
                return Some(end);
            }
            self.scanned = end;
            self.line_start = end;
        }
        self.scanned = buffer.len();
        None
    }
}
