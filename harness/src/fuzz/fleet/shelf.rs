//! Where a fleet keeps its files: four drawers of small files that appear whole or not at all.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, iter};

/// Maximum bytes of a file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A kind of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Drawer {
    /// Cases, named by their content. They never change.
    Cases,
    /// Settled findings, named by their id.
    Findings,
    /// Who settles which finding. They never change.
    Claims,
    /// Signs of life of members that settle something.
    Members,
}

/// The files of a fleet. Every method is atomic, also for members on other machines.
pub(super) trait Shelf {
    /// The names of all files in a drawer, in no order.
    ///
    /// # Errors
    /// The drawer cannot be listed.
    fn names(&self, drawer: Drawer) -> io::Result<Vec<String>>;

    /// The content of a file.
    ///
    /// # Errors
    /// `NotFound`, or it cannot be read.
    fn read(&self, drawer: Drawer, name: &str) -> io::Result<Vec<u8>>;

    /// Creates a file. Of several members that create the same one, exactly one gets `true`.
    ///
    /// # Errors
    /// It cannot be created.
    fn create(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<bool>;

    /// Creates or replaces a file.
    ///
    /// # Errors
    /// It cannot be written.
    fn replace(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<()>;

    /// Removes a file that may not exist.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, drawer: Drawer, name: &str) -> io::Result<()>;
}

/// The files in a folder that the members share, which may be on NFS: nothing depends on locks, on appending or on times of
/// files. A file is written under a hidden name, then linked or renamed.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Creates the folder and its drawers.
    ///
    /// # Errors
    /// They cannot be created.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let drawers = [
            Drawer::Cases,
            Drawer::Findings,
            Drawer::Claims,
            Drawer::Members,
        ];
        drawers
            .iter()
            .try_for_each(|drawer| fs::create_dir_all(self.drawer(*drawer)))
    }

    fn drawer(&self, drawer: Drawer) -> PathBuf {
        match drawer {
            Drawer::Cases => self.path.clone(),
            Drawer::Findings => self.path.join("findings"),
            Drawer::Claims => self.path.join("claims"),
            Drawer::Members => self.path.join("members"),
        }
    }

    /// A hidden file with this content, which is removed unless it gets another name.
    fn written(&self, drawer: Drawer, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        let made = tempfile::Builder::new()
            .prefix(".")
            // Members may be started by different users; the umask still applies.
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(self.drawer(drawer))?;
        // Closed at once, so that NFS has sent all of it before the file gets its name.
        fs::write(made.path(), content)?;
        Ok(made)
    }
}

impl Shelf for Folder {
    fn names(&self, drawer: Drawer) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.drawer(drawer))? {
            let name = entry?.file_name().into_string();
            names.extend(name.ok().filter(|name| is_whole(name)));
        }
        Ok(names)
    }

    fn read(&self, drawer: Drawer, name: &str) -> io::Result<Vec<u8>> {
        let path = self.drawer(drawer).join(name);
        // Opened first: NFS asks the server only then.
        let file = fs::File::open(&path)?;
        let bytes = file.metadata()?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("it has {bytes} bytes; the limit is {FILE_BYTES_MAX}"),
            ));
        }
        let mut content = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut content)?;
        Ok(content)
    }

    fn create(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<bool> {
        let place = self.drawer(drawer).join(name);
        let made = self.written(drawer, content)?;
        match fs::hard_link(made.path(), &place) {
            Ok(()) => Ok(true),
            // The reply of an NFS server may be lost, and the repeated request fails then: the number of names decides.
            Err(error) => match fs::metadata(made.path()).map(|made| made.nlink()) {
                Ok(2..) => Ok(true),
                _ if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn replace(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<()> {
        let place = self.drawer(drawer).join(name);
        let made = self.written(drawer, content)?;
        made.persist(&place).map_err(|error| error.error)?;
        Ok(())
    }

    fn remove(&self, drawer: Drawer, name: &str) -> io::Result<()> {
        match fs::remove_file(self.drawer(drawer).join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether a name is that of a whole file, and not of one that is being written, or of a folder.
pub(super) fn is_whole(name: &str) -> bool {
    let is_hidden = name.starts_with('.');
    let mut endings = iter::once(".json").chain(super::claim::ENDINGS);
    !is_hidden && endings.any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_create_a_file_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Folder::new(folder.path());
        shelf.prepare().unwrap();
        let created: Vec<bool> = std::thread::scope(|scope| {
            let create = |number: usize| {
                let shelf = shelf.clone();
                let content = vec![b'0' + number as u8; 100_000];
                scope.spawn(move || shelf.create(Drawer::Claims, "a.1.json", &content).unwrap())
            };
            let all: Vec<_> = (0..8).map(create).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(created.iter().filter(|created| **created).count(), 1);
        let winner = created.iter().position(|created| *created).unwrap();
        let content = shelf.read(Drawer::Claims, "a.1.json").unwrap();
        assert_eq!(content, vec![b'0' + winner as u8; 100_000]);
        // No hidden file is left.
        let left = fs::read_dir(folder.path().join("claims")).unwrap().count();
        assert_eq!(left, 1);
    }

    #[test]
    fn what_is_being_written_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Folder::new(folder.path());
        shelf.prepare().unwrap();
        fs::write(folder.path().join(".half"), "{\"sch").unwrap();
        fs::write(folder.path().join("README.md"), "mine").unwrap();
        assert!(shelf.names(Drawer::Cases).unwrap().is_empty());
        shelf.replace(Drawer::Members, "a.json", b"1").unwrap();
        shelf.replace(Drawer::Members, "a.json", b"2").unwrap();
        assert_eq!(shelf.read(Drawer::Members, "a.json").unwrap(), b"2");
        shelf.remove(Drawer::Members, "a.json").unwrap();
        shelf.remove(Drawer::Members, "a.json").unwrap();
        let gone = shelf.read(Drawer::Members, "a.json").unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    }
}
