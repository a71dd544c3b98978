//! Hooks in interpreters: a script of tcprove that an interpreter runs before the server, because its environment says so.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Launch, Tmp};

/// Programs whose own code tells little about the server that they run.
const INTERPRETERS: [&str; 13] = [
    "beam", "bun", "deno", "dotnet", "java", "lua", "mono", "node", "perl", "php", "python",
    "ruby", "tclsh",
];
/// Calls `_hook` of the script before it, and then runs the `sitecustomize` that the script hides.
const PYTHON_END: &str = include_str!("python_end.py");

/// The file name of a program.
pub(crate) fn program_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// Whether a program runs others that are not made of its own code.
pub(crate) fn is_interpreter(program: &Path) -> bool {
    let name = program_name(program);
    INTERPRETERS.iter().any(|known| name.starts_with(known))
}

/// An interpreter that can be made to run a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpreter {
    Python,
    Node,
}

impl Interpreter {
    pub(crate) const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// The first of these programs that is this interpreter.
    pub(crate) fn among(self, programs: &[PathBuf]) -> Option<&Path> {
        let mut programs = programs.iter().map(PathBuf::as_path);
        programs.find(|path| self.is(path))
    }

    fn is(self, program: &Path) -> bool {
        program_name(program).starts_with(self.name())
    }

    /// How the names of its programs begin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// Why it may have run no hook.
    pub(crate) fn excuse(self) -> &'static str {
        match self {
            Self::Python => {
                "python does not run tcprove's hook, for example because of its option -I, -E or -S"
            }
            Self::Node => {
                "node does not run tcprove's hook: its NODE_OPTIONS are ignored, or it has no inspector"
            }
        }
    }

    /// The file name of a hook.
    fn file_name(self) -> &'static str {
        match self {
            Self::Python => "sitecustomize.py",
            Self::Node => "hook.js",
        }
    }

    /// A hook that runs this script, which in Python defines `_hook(folder)`.
    fn text(self, script: &str) -> String {
        match self {
            Self::Python => format!("{script}{PYTHON_END}"),
            Self::Node => script.to_owned(),
        }
    }

    /// The variable that makes it run a hook.
    fn variable(self) -> &'static str {
        match self {
            Self::Python => "PYTHONPATH",
            Self::Node => "NODE_OPTIONS",
        }
    }

    /// The value of the variable for a hook in this folder, given the value without.
    fn value(self, folder: &Path, before: Option<String>) -> String {
        let (hook, sign) = match self {
            Self::Python => (escaped(folder), ':'),
            Self::Node => {
                let hook = escaped(&folder.join(self.file_name()));
                (format!("--require \"{hook}\""), ' ')
            }
        };
        match before {
            Some(before) => format!("{hook}{sign}{before}"),
            None => hook,
        }
    }
}

/// A path in a value that may contain placeholders.
pub(crate) fn escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('{', "{{").replace('}', "}}")
}

/// A hook in a folder of its own.
#[derive(Debug)]
pub(crate) struct Hook {
    folder: Tmp,
    interpreter: Interpreter,
    /// The variable of the environment that makes the interpreter run it, and its value, which may contain placeholders.
    pub(crate) variable: (String, String),
    /// Whether the server runs as another user.
    is_for_others: bool,
}

impl Hook {
    /// Writes a hook for the interpreter of a server.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub(crate) fn new(launch: &Launch, interpreter: Interpreter, script: &str) -> io::Result<Self> {
        let folder = Tmp::new()?;
        fs::write(
            folder.path().join(interpreter.file_name()),
            interpreter.text(script),
        )?;
        let is_for_others = launch.user.is_some();
        if is_for_others {
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        }
        let name = interpreter.variable();
        let before = launch.env.get(name).cloned();
        let before = before.or_else(|| std::env::var(name).ok());
        let before = before.filter(|value| !value.is_empty());
        Ok(Self {
            variable: (name.into(), interpreter.value(folder.path(), before)),
            folder,
            interpreter,
            is_for_others,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether a program may run it.
    pub(crate) fn is_for(&self, program: &Path) -> bool {
        self.interpreter.is(program)
    }

    /// Why it may not have run.
    pub(crate) fn excuse(&self) -> &'static str {
        self.interpreter.excuse()
    }

    /// Lets the server write to a file in the folder.
    ///
    /// # Errors
    /// Its permissions cannot be changed.
    pub(crate) fn share(&self, file: &File) -> io::Result<()> {
        if self.is_for_others {
            file.set_permissions(Permissions::from_mode(0o666))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_told_by_their_names() {
        let programs = ["/usr/sbin/nginx", "/usr/bin/python3.11"].map(PathBuf::from);
        let found = Interpreter::Python.among(&programs);
        assert_eq!(found.map(program_name), Some("python3.11"));
        assert_eq!(Interpreter::Node.among(&programs), None);
        assert!(is_interpreter(&programs[1]) && !is_interpreter(&programs[0]));
    }

    #[test]
    fn what_the_user_has_set_stays_in_force() {
        let folder = Path::new("/tmp/a{b}");
        let before = || Some("mine".to_owned());
        let python = Interpreter::Python.value(folder, before());
        assert_eq!(python, "/tmp/a{{b}}:mine");
        let node = Interpreter::Node.value(folder, before());
        assert_eq!(node, "--require \"/tmp/a{{b}}/hook.js\" mine");
    }
}
