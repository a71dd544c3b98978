//! Cuts messages out of a stream, however it is segmented.

use memchr::{memchr, memmem};

use super::http1::HttpState;
use super::resp::RespState;
use super::{Frame, FrameError, MESSAGE_BYTES_MAX};

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
            Frame::Until(delimiter) => Ok(state.until(delimiter, buffer)),
            Frame::LastLine(pattern) => Ok(state.line(buffer, |line, _| pattern.is_match(line))),
            Frame::Lines(wanted) => Ok(state.line(buffer, |_, count| count == *wanted)),
            Frame::Len(len) => Ok(len.message_len(buffer)?.filter(|len| *len <= buffer.len())),
            Frame::Fixed(len) => Ok(Some(*len).filter(|len| *len <= buffer.len())),
            Frame::Resp => state.resp.look(buffer),
            Frame::Http1 => state.http.look(buffer),
            Frame::Eof | Frame::None => Ok(None),
        }
    }
}

impl DecoderState {
    fn until(&mut self, delimiter: &[u8], buffer: &[u8]) -> Option<usize> {
        // The previous call may have stopped inside a delimiter.
        let from = self
            .scanned
            .saturating_sub(delimiter.len().saturating_sub(1));
        let fresh = buffer.get(from..)?;
        if let Some(at) = memmem::find(fresh, delimiter) {
            return Some(from + at + delimiter.len());
        }
        self.scanned = buffer.len();
        None
    }

    /// Passes each line, including its `
    /// `, and its number to `is_last` until it returns true.
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
