//! Memory that several processes share: 32-bit numbers in a file, or in a System V segment.
#![expect(unsafe_code, reason = "mmap and shmat have no safe wrapper")]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicU32;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A file that exists only in memory, to be shared with another process through its descriptor.
///
/// # Errors
/// No descriptor or no memory is left.
pub(crate) fn memory_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// Numbers that every process sees that has mapped the same file. Dropping it removes the mapping.
#[derive(Debug)]
pub(crate) struct SharedWords {
    place: NonNull<AtomicU32>,
    words: usize,
    kind: Kind,
}

/// How the memory was mapped.
#[derive(Debug, Clone, Copy)]
enum Kind {
    File,
    Segment,
}

// SAFETY: the mapping belongs to the process, not to a thread, and holds nothing but atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps the first `words` numbers of a file, which must be at least that long and must never become shorter.
    ///
    /// # Errors
    /// Those of mmap(2); `InvalidInput` if the file is too short.
    pub(crate) fn map(file: &File, words: usize) -> io::Result<Self> {
        let bytes = words.saturating_mul(size_of::<u32>());
        if words == 0 || file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing. The file is as long as
        // the mapping, and both processes that have it open only use it through this type, which never changes
        // its length.
        let place = unsafe {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            mmap(null_mut(), bytes, access, MapFlags::SHARED, file.as_fd(), 0)?
        };
        let place = NonNull::new(place.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            place,
            words,
            kind: Kind::File,
        })
    }

    /// A new segment of zeros, and the id by which other processes attach it. It is gone when the last of them detaches it or
    /// ends: Linux lets processes attach a segment that is marked for removal.
    ///
    /// # Errors
    /// Those of shmget(2) and shmat(2).
    pub(crate) fn segment(words: usize, mode: i32) -> io::Result<(i32, Self)> {
        let bytes = words.saturating_mul(size_of::<u32>());
        // SAFETY: it takes numbers only.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, bytes, libc::IPC_CREAT | mode) };
        if id == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing.
        let place = unsafe { libc::shmat(id, null_mut(), 0) };
        let failed = (place.addr() == usize::MAX).then(io::Error::last_os_error);
        // SAFETY: it takes no argument for this operation.
        unsafe { libc::shmctl(id, libc::IPC_RMID, null_mut()) };
        if let Some(error) = failed {
            return Err(error);
        }
        let place = NonNull::new(place.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let segment = Self {
            place,
            words,
            kind: Kind::Segment,
        };
        Ok((id, segment))
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU32];

    fn deref(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is page-aligned, `words` long and lives as long as `self`; any bits are a valid
        // number, and all accesses of all processes are atomic.
        unsafe { std::slice::from_raw_parts(self.place.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        let place: *mut c_void = self.place.as_ptr().cast();
        match self.kind {
            // SAFETY: this mapping was made by `map`, and no reference into it outlives `self`.
            Kind::File => drop(unsafe { munmap(place, self.words * size_of::<u32>()) }),
            // SAFETY: as above, made by `segment`.
            Kind::Segment => drop(unsafe { libc::shmdt(place) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_of_a_file_are_the_same_memory() {
        let file = memory_file("test").unwrap();
        assert!(SharedWords::map(&file, 8).is_err(), "it is empty");
        file.set_len(4096).unwrap();
        let one = SharedWords::map(&file, 1024).unwrap();
        let other = SharedWords::map(&file, 8).unwrap();
        one[7].store(5, Ordering::Relaxed);
        assert_eq!((other.len(), other[7].load(Ordering::Relaxed)), (8, 5));
    }

    #[test]
    fn a_segment_is_gone_once_nobody_has_it() {
        let (id, segment) = SharedWords::segment(1024, 0o600).unwrap();
        segment[3].store(9, Ordering::Relaxed);
        let listed = || {
            let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
            let ids = all
                .lines()
                .filter_map(|line| line.split_whitespace().nth(1));
            ids.filter(|one| **one == *id.to_string()).count()
        };
        assert_eq!(
            (listed(), segment[3].load(Ordering::Relaxed), segment.len()),
            (1, 9, 1024)
        );
        drop(segment);
        assert_eq!(listed(), 0);
    }
}
