//! The memory of one traced process: where the planned places are in it, and writing and removing breakpoints.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::plan::Places;
use crate::process::mapping::Mapping;

/// The instruction `int3`.
const BREAKPOINT: u8 = 0xcc;
/// Bytes that are read and written at once.
const CHUNK: u64 = 64 << 10;

/// The memory of a process. Access needs no stop: all of its threads are traced.
#[derive(Debug)]
pub(super) struct Space {
    memory: File,
    mapped: Vec<Mapped>,
    /// The hits, by their number in this life of the server, whose breakpoints are removed here too.
    pub(super) cleaned: usize,
}

/// A mapping of a planned file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapped {
    at: Range<u64>,
    /// The position in the file of its first byte.
    offset: u64,
    file: usize,
    is_armed: bool,
}

impl Space {
    /// The memory of this process now, without breakpoints.
    ///
    /// # Errors
    /// The process has ended, or its memory may not be written.
    pub(super) fn open(pid: u32, places: &Places, cleaned: usize) -> io::Result<Self> {
        let path = format!("/proc/{pid}/mem");
        let memory = OpenOptions::new().read(true).write(true).open(path)?;
        let mut space = Self {
            memory,
            mapped: Vec::new(),
            cleaned,
        };
        space.find_new(pid, places);
        Ok(space)
    }

    /// The memory of a process that was forked from this one, with the same breakpoints.
    ///
    /// # Errors
    /// As [`Space::open`].
    pub(super) fn forked(&self, pid: u32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/mem");
        Ok(Self {
            memory: OpenOptions::new().read(true).write(true).open(path)?,
            mapped: self.mapped.clone(),
            cleaned: self.cleaned,
        })
    }

    /// Looks for mappings that are not known yet.
    fn find_new(&mut self, pid: u32, places: &Places) {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        for found in maps.lines().filter_map(|line| mapped(line, places)) {
            if !self.mapped.iter().any(|known| known.at == found.at) {
                self.mapped.push(found);
            }
        }
    }

    /// Writes breakpoints to the wanted places of mappings that have none yet. Returns their number.
    pub(super) fn arm(&mut self, pid: u32, places: &Places, wanted: impl Fn(u32) -> bool) -> u32 {
        self.find_new(pid, places);
        let mut count = 0;
        for index in 0..self.mapped.len() {
            if !std::mem::replace(&mut self.mapped[index].is_armed, true) {
                count += self.arm_mapping(&self.mapped[index], places, &wanted);
            }
        }
        count
    }

    fn arm_mapping(&self, mapped: &Mapped, places: &Places, wanted: impl Fn(u32) -> bool) -> u32 {
        let file = &places.files[mapped.file];
        let end = mapped.offset + (mapped.at.end - mapped.at.start);
        let mut next = file
            .places
            .partition_point(|place| place.offset < mapped.offset);
        let mut count = 0;
        let mut chunk = vec![0; CHUNK as usize];
        while let Some(first) = file.places.get(next).filter(|place| place.offset < end) {
            let begin = mapped.offset + (first.offset - mapped.offset) / CHUNK * CHUNK;
            let chunk = &mut chunk[..(end - begin).min(CHUNK) as usize];
            let at = mapped.at.start + (begin - mapped.offset);
            let is_read = self.memory.read_exact_at(chunk, at).is_ok();
            let before = count;
            while let Some(place) = file.places.get(next)
                && place.offset < begin + chunk.len() as u64
            {
                let byte = &mut chunk[(place.offset - begin) as usize];
                // Another byte there means another file, or code that changes itself.
                if is_read && *byte == place.original && wanted(file.first + next as u32) {
                    *byte = BREAKPOINT;
                    count += 1;
                }
                next += 1;
            }
            if count > before && self.memory.write_all_at(chunk, at).is_err() {
                count = before;
            }
        }
        count
    }

    /// The place of a breakpoint at this address.
    pub(super) fn place_at(&self, address: u64, places: &Places) -> Option<u32> {
        let mapped = self.mapped.iter().find(|one| one.at.contains(&address))?;
        let offset = mapped.offset + (address - mapped.at.start);
        let file = &places.files[mapped.file];
        let found = file
            .places
            .binary_search_by_key(&offset, |place| place.offset);
        Some(file.first + u32::try_from(found.ok()?).ok()?)
    }

    /// Removes the breakpoint of this place.
    pub(super) fn restore(&self, number: u32, places: &Places) -> bool {
        let Some((file, place)) = places.place(number) else {
            return false;
        };
        let mut addresses = self.addresses(file, place.offset);
        addresses.all(|at| self.memory.write_all_at(&[place.original], at).is_ok())
    }

    /// Writes the breakpoint of this place again.
    pub(super) fn arm_again(&self, number: u32, places: &Places) {
        let Some((file, place)) = places.place(number) else {
            return;
        };
        for at in self.addresses(file, place.offset) {
            let mut byte = [0];
            let is_original = self.memory.read_exact_at(&mut byte, at).is_ok();
            if is_original && byte[0] == place.original {
                // It fails if the process has ended.
                let _ = self.memory.write_all_at(&[BREAKPOINT], at);
            }
        }
    }

    fn addresses(&self, file: usize, offset: u64) -> impl Iterator<Item = u64> {
        let mapped = self
            .mapped
            .iter()
            .filter(move |one| one.file == file && one.is_armed);
        let address = move |one: &Mapped| {
            let at = one.at.start + offset.checked_sub(one.offset)?;
            one.at.contains(&at).then_some(at)
        };
        mapped.filter_map(address)
    }
}

/// An executable mapping of a planned file, from a line of `/proc/PID/maps`.
fn mapped(line: &str, places: &Places) -> Option<Mapped> {
    let found = Mapping::parse(line).filter(|found| found.is_executable)?;
    Some(Mapped {
        at: found.at,
        offset: found.offset,
        file: places.file(found.path)?,
        is_armed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Place, PlacesOfFile};
    use super::*;

    #[test]
    fn executable_mappings_of_planned_files() {
        let file = PlacesOfFile {
            path: "/usr/bin/a b".into(),
            first: 0,
            places: vec![Place {
                offset: 0x2345,
                original: 0x55,
            }],
        };
        let places = Places {
            files: vec![file],
            left_out: vec![false],
        };
        let line = "55d0a000-55d0c000 r-xp 00002000 fd:01 131 /usr/bin/a b";
        let found = mapped(line, &places).unwrap();
        assert_eq!((found.at.start, found.offset), (0x55d0_a000, 0x2000));
        assert_eq!(mapped(&line.replace("r-xp", "r--p"), &places), None);
        assert_eq!(mapped(&line.replace("a b", "b"), &places), None);
        assert_eq!(mapped("7ffd-7ffe r-xp 0 00:00 0", &places), None);
        let space = Space {
            memory: File::open("/dev/null").unwrap(),
            mapped: vec![found],
            cleaned: 0,
        };
        assert_eq!(space.place_at(0x55d0_a345, &places), Some(0));
        assert_eq!(space.place_at(0x55d0_a346, &places), None);
    }
}
