//! The settings in force in a cell, as the kernel reports them at both ends of its connections. Pure.

use super::axis::Dimension;
use super::knob::{Buffer, Knob};
use crate::load::{Remark, Transport};

/// The smallest buffer that the kernel sets (`SOCK_MIN_SNDBUF`), in bytes: its own defaults are always larger.
const BUFFER_LEAST: u64 = 4608;

/// A cell: the axes, its index on each, and the observed state of its connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct InForce<'a> {
    pub axes: &'a [Dimension],
    pub place: &'a [usize],
    pub transport: &'a Transport,
}

impl InForce<'_> {
    /// The settings by which cells are distinguished: cells with equal settings are the same cell.
    ///
    /// A default of the kernel adapts over time, so it never equals a fixed size.
    pub(crate) fn settings(&self) -> Vec<String> {
        let axes = self.axes.iter().zip(self.place);
        axes.map(|(axis, place)| {
            let asked = &axis.values[*place];
            match self.buffer_bytes(axis) {
                None => asked.text.clone(),
                Some(_) if self.is_kernel_default(axis) => "the kernel's default".to_owned(),
                Some(bytes) => bytes.to_string(),
            }
        })
        .collect()
    }

    /// The reported setting of this axis, if it can be observed and may differ.
    pub(crate) fn effective(&self, axis: &Dimension) -> Option<String> {
        if axis.knob == Knob::ClientMss {
            return Some(self.transport.client.mss.to_string());
        }
        self.buffer_bytes(axis).map(|bytes| bytes.to_string())
    }

    /// A receive window that is set by an axis and holds less than two segments: its size and theirs, in bytes.
    pub(crate) fn narrow_window(&self) -> Option<(u64, u64)> {
        let client = self.transport.client.mss;
        // A small window shrinks the segments sent into it, so the larger of the two is that of the path.
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
            // The kernel reserves half of the buffer for bookkeeping (tcp_adv_win_scale = 1).
            let window = self.buffer_bytes(axis)? / 2;
            (!self.is_kernel_default(axis) && window < 2 * mss).then_some((window, mss))
        })
    }

    /// Notes about the settings.
    pub(crate) fn notes(&self) -> Vec<Remark> {
        let narrow = self.narrow_window().map(|(window, mss)| Remark { word: "narrow-window".into(), sentence: format!(
            "a receive window of {window} bytes holds less than two segments of {mss} bytes, so that a sender waits for every acknowledgement; it is never recommended"
        ) });
        let literal = self.axes.iter().find_map(|axis| {
            let bytes = self.buffer_bytes(axis)?;
            (self.asked(axis) == Some(0) && !self.is_kernel_default(axis)).then(|| Remark { word: "zero-taken-literally".into(), sentence: format!(
                "{} = 0 requested 0 bytes from the kernel and got {bytes}, which is not its default",
                axis.knob
            ) })
        });
        narrow.into_iter().chain(literal).collect()
    }

    fn asked(&self, axis: &Dimension) -> Option<u64> {
        let at = self.axes.iter().position(|other| other.knob == axis.knob)?;
        axis.values[self.place[at]].number
    }

    /// The size in force of the buffer that the axis sets.
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

    /// Whether the axis leaves the buffer to the kernel: its value is 0. A server may instead request 0 bytes, and then
    /// gets the smallest buffer.
    fn is_kernel_default(&self, axis: &Dimension) -> bool {
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
        // The kernel's default differs from a fixed size, even if it has that size at the moment.
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
        // The window shrinks the segments; the requested size counts.
        assert_eq!(narrow([1, 1], 2304, 576), Some((1152, 1448)));
        assert_eq!(narrow([2, 1], 131_072, 1436), None);
        assert_eq!(narrow([2, 0], 131_072, 65_483), Some((65_536, 65_483)));
        assert_eq!(
            narrow([0, 0], 131_072, 65_483),
            None,
            "the kernel widens it over time"
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
        assert_eq!(cell(&[0, 0]).settings()[1], "the kernel's default");
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
