//! A shelf in memory, whose members are killed at a certain operation.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::shelf::{Drawer, Shelf, is_whole};

pub(super) type Files = BTreeMap<(Drawer, String), Vec<u8>>;

/// One member's view of the files.
#[derive(Clone)]
pub(super) struct Memory {
    files: Rc<RefCell<Files>>,
    /// Operations until the member is killed.
    left: Rc<Cell<u64>>,
    operations: Rc<Cell<u64>>,
    /// Whether the operation in which it is killed still takes effect.
    last_counts: bool,
}

impl Memory {
    pub(super) fn of(files: &Rc<RefCell<Files>>) -> Self {
        Self::killed_after(files, u64::MAX, true)
    }

    /// The view of a member that is killed in its `left`th operation. `last_counts`: whether that still takes effect.
    pub(super) fn killed_after(files: &Rc<RefCell<Files>>, left: u64, last_counts: bool) -> Self {
        Self {
            files: files.clone(),
            left: Rc::new(Cell::new(left)),
            operations: Rc::default(),
            last_counts,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.left.get() > 0
    }

    /// The number of operations so far.
    pub(super) fn operations(&self) -> u64 {
        self.operations.get()
    }

    /// One operation. `None` once the member was killed; the second value says whether it takes effect.
    fn step(&self) -> io::Result<bool> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        self.operations.set(self.operations.get() + 1);
        match left {
            0 => Err(io::Error::other("killed")),
            1 => Ok(self.last_counts),
            _ => Ok(true),
        }
    }

    /// What the member gets to know of an operation.
    fn known<T>(&self, result: T) -> io::Result<T> {
        match self.left.get() {
            0 => Err(io::Error::other("killed")),
            _ => Ok(result),
        }
    }
}

impl Shelf for Memory {
    fn names(&self, drawer: Drawer) -> io::Result<Vec<String>> {
        self.step()?;
        let files = self.files.borrow();
        let names = files.keys().filter(|(of, _)| *of == drawer);
        let names = names.map(|(_, name)| name.clone());
        self.known(names.filter(|name| is_whole(name)).collect())
    }

    fn read(&self, drawer: Drawer, name: &str) -> io::Result<Vec<u8>> {
        self.step()?;
        let file = self.files.borrow().get(&(drawer, name.into())).cloned();
        self.known(file)?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<bool> {
        let counts = self.step()?;
        let mut files = self.files.borrow_mut();
        let is_new = !files.contains_key(&(drawer, name.into()));
        if counts && is_new {
            files.insert((drawer, name.into()), content.to_vec());
        } else if !counts {
            // Killed while it was being written.
            files.insert((drawer, format!(".{name}")), b"half".to_vec());
        }
        drop(files);
        self.known(is_new)
    }

    fn replace(&self, drawer: Drawer, name: &str, content: &[u8]) -> io::Result<()> {
        if self.step()? {
            let mut files = self.files.borrow_mut();
            files.insert((drawer, name.into()), content.to_vec());
        }
        self.known(())
    }

    fn remove(&self, drawer: Drawer, name: &str) -> io::Result<()> {
        if self.step()? {
            self.files.borrow_mut().remove(&(drawer, name.into()));
        }
        self.known(())
    }
}
