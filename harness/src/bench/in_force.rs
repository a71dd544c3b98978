//! What the kernel made of the settings of a cell, as both ends of its connections show it. Pure.

use super::axis::Dimension;
use super::knob::{Buffer, Knob};
use crate::load::{Remark, Transport};

/// The least buffers that the kernel gives (`SOCK_MIN_SNDBUF`), whatever is asked for: nothing that it
/// chooses itself is as small.
const BUFFER_LEAST: u64 = 4608;

/// A cell: the axes, its place on each, and what was seen of its connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct InForce<'a> {
    pub axes: &'a [Dimension],
    pub place: &'a [usize],
    pub transport: &'a Transport,
}

impl InForce<'_> {
    /// The settings as they tell cells apart: cells in which they are equal are the same cell.
    ///
    /// What the kernel chooses itself changes as it goes, and is never the same as a size that is set.
    pub fn settings(&self) -> Vec<String> {
        let axes = self.axes.iter().zip(self.place);
        axes.map(|(axis, place)| {
            let asked = &axis.values[*place];
            match self.buffer_bytes(axis) {
                None => asked.text.clone(),
                Some(_) if self.is_kernels_choice(axis) => "the kernel's own choice".to_owned(),
                Some(bytes) => bytes.to_string(),
            }
        })
        .collect()
    }

    /// The setting of this axis as it is reported, where it can be seen and may differ.
    pub fn effective(&self, axis: &Dimension) -> Option<String> {
        if axis.knob == Knob::ClientMss {
            return Some(self.transport.client.mss.to_string());
        }
        self.buffer_bytes(axis).map(|bytes| bytes.to_string())
    }

    /// A receive window that is set here and holds less than two segments: its size, and theirs.
    pub fn narrow_window(&self) -> Option<(u64, u64)> {
        let client = self.transport.client.mss;
        // A small window makes the segments that are sent into it small: the larger of the two is the path's.
        let seen = self
            .transport
            .server
            .map_or(client, |server| client.max(server.mss));
        let axis = self.axes.iter().find(|axis| axis.knob == Knob::ClientMss);
        let asked = axis.and_then(|axis| self.asked(axis));
        let mss = asked.filter(|mss| *mss > 0).unwrap_or(u64::from(seen));
        let mut receive = self
            .axes
            .iter()
            .filter(|axis| axis.knob.buffer() == Some(Buffer::Receive));
        receive.find_map(|axis| {
            // The kernel keeps half of the buffer for its own bookkeeping (tcp_adv_win_scale = 1).
            let window = self.buffer_bytes(axis)? / 2;
            (!self.is_kernels_choice(axis) && window < 2 * mss).then_some((window, mss))
        })
    }

    /// What has to be said about the settings.
    pub fn notes(&self) -> Vec<Remark> {
        let narrow = self.narrow_window().map(|(window, mss)| Remark { word: "narrow-window", sentence: format!(
            "a receive window of {window} bytes holds less than two segments of {mss}: a sender waits for every acknowledgement; never recommended"
        ) });
        let literal = self.axes.iter().find_map(|axis| {
            let bytes = self.buffer_bytes(axis)?;
            (self.asked(axis) == Some(0) && !self.is_kernels_choice(axis)).then(|| Remark { word: "zero-taken-literally", sentence: format!(
                "{} = 0 asked the kernel for 0 bytes and got {bytes}: this is not its own choice",
                axis.knob
            ) })
        });
        narrow.into_iter().chain(literal).collect()
    }

    fn asked(&self, axis: &Dimension) -> Option<u64> {
        let at = self.axes.iter().position(|other| other.knob == axis.knob)?;
        axis.values[self.place[at]].number
    }

    /// The size of the buffer that the axis sets, at the end that it sets it at.
    fn buffer_bytes(&self, axis: &Dimension) -> Option<u64> {
        let end = match &axis.knob {
            Knob::Server(_) => self.transport.server?,
            _ => self.transport.client,
        };
        Some(match axis.knob.buffer()? {
            Buffer::Receive => end.so_rcvbuf,
            Buffer::Send => end.so_sndbuf,
        })
    }

    /// 0 leaves a buffer to the kernel; but what 0 means to a server is the server's business, and one
    /// that asks for 0 bytes gets the least there is.
    fn is_kernels_choice(&self, axis: &Dimension) -> bool {
        let is_literal = axis.knob.server_param().is_some()
            && self
                .buffer_bytes(axis)
                .is_some_and(|bytes| bytes <= BUFFER_LEAST);
        self.asked(axis) == Some(0) && !is_literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::axis::parse_all;
    use crate::load::End;

    fn seen(client: (u64, u64), server: (u64, u64), mss: u32) -> Transport {
        let end = |(so_rcvbuf, so_sndbuf), mss| End {
            so_rcvbuf,
            so_sndbuf,
            mss,
            ..End::default()
        };
        Transport {
            sampled: 1,
            client: end(client, mss),
            server: Some(end(server, 576)),
            why: None,
        }
    }

    #[test]
    fn sizes_are_told_apart_by_what_the_kernel_made_of_them() {
        let axes = parse_all(["client.so_rcvbuf=0,64,1KiB,64KiB", "payload=64"]).unwrap();
        let settings = |place: usize, rcvbuf| {
            let transport = seen((rcvbuf, 0), (0, 0), 32_768);
            let cell = InForce {
                axes: &axes,
                place: &[place, 0],
                transport: &transport,
            };
            (
                cell.settings(),
                cell.effective(&axes[0]),
                cell.effective(&axes[1]),
            )
        };
        assert_eq!(settings(1, 2304), settings(2, 2304));
        assert_eq!(settings(1, 2304).0, ["2304", "64"]);
        // The kernel's own choice is no size, even if it is as large as one just now.
        assert_ne!(settings(0, 131_072).0, settings(3, 131_072).0);
        assert_eq!(settings(0, 131_072).1.as_deref(), Some("131072"));
        assert_eq!(settings(0, 131_072).2, None);
    }

    #[test]
    fn a_window_below_two_segments_is_marked() {
        let axes = parse_all(["server.so_rcvbuf=0,1KiB,64KiB", "client.mss=0,1448"]).unwrap();
        let narrow = |place: [usize; 2], rcvbuf, mss| {
            let transport = seen((0, 0), (rcvbuf, 0), mss);
            InForce {
                axes: &axes,
                place: &place,
                transport: &transport,
            }
            .narrow_window()
        };
        assert_eq!(narrow([1, 0], 2304, 65_483), Some((1152, 65_483)));
        // The segments are as small as the window makes them; what was asked for is what counts.
        assert_eq!(narrow([1, 1], 2304, 576), Some((1152, 1448)));
        assert_eq!(narrow([2, 1], 131_072, 1436), None);
        assert_eq!(narrow([2, 0], 131_072, 65_483), Some((65_536, 65_483)));
        assert_eq!(
            narrow([0, 0], 131_072, 65_483),
            None,
            "the kernel widens it as it goes"
        );
    }

    #[test]
    fn a_server_may_take_zero_literally() {
        let axes = parse_all(["server.so_rcvbuf=0,64", "client.so_sndbuf=0"]).unwrap();
        let transport = seen((0, 4608), (2304, 0), 32_768);
        let cell = |place| InForce {
            axes: &axes,
            place,
            transport: &transport,
        };
        assert_eq!(cell(&[0, 0]).settings(), cell(&[1, 0]).settings());
        assert_eq!(cell(&[0, 0]).settings()[1], "the kernel's own choice");
        let notes = cell(&[0, 0]).notes();
        assert!(
            notes[0]
                .to_string()
                .starts_with("narrow-window: a receive window of 1152"),
            "{notes:?}"
        );
        assert!(
            notes[1]
                .to_string()
                .starts_with("zero-taken-literally: server.so_rcvbuf"),
            "{notes:?}"
        );
    }
}
