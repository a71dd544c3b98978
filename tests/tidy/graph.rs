//! Which module of a crate uses which, read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::code;

/// A module by its path from the root of the crate.
pub type Module = Vec<String>;

/// One module uses another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The file, from the root of the repository.
    pub file: String,
    /// The module that uses.
    pub from: Module,
    /// The module that is used.
    pub to: Module,
}

/// Which module uses which, outside tests.
pub struct Graph {
    edges: Vec<Edge>,
}

impl Graph {
    /// Reads the uses in these sources: pairs of a name and a text.
    pub fn of(sources: &[(String, String)]) -> Self {
        let files: Vec<(Module, &(String, String))> = sources
            .iter()
            .filter_map(|source| Some((module(&source.0)?, source)))
            .collect();
        let mut modules: BTreeSet<Module> = BTreeSet::from([Vec::new()]);
        for (module, _) in &files {
            modules.extend((1..=module.len()).map(|length| module[..length].to_vec()));
        }
        let used: Vec<(&Module, &String, Vec<Use>)> = files
            .iter()
            .map(|(module, (name, text))| (module, name, uses(module, text, &modules)))
            .collect();
        let mut exports: BTreeMap<(Module, String), Module> = BTreeMap::new();
        for (module, _, uses) in &used {
            for exported in uses.iter().filter(|used| used.is_export) {
                if let Some(name) = exported.path.last() {
                    exports.insert(((*module).clone(), name.clone()), exported.path.clone());
                }
            }
        }
        let mut edges = Vec::new();
        for (module, name, uses) in &used {
            for path in uses.iter().filter(|used| !used.is_export) {
                let to = resolved(&path.path, &modules, &exports);
                if to != **module && !to.is_empty() && !module.is_empty() {
                    edges.push(Edge {
                        file: (*name).clone(),
                        from: (*module).clone(),
                        to,
                    });
                }
            }
        }
        Self { edges }
    }

    /// Every use of one module by another.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Modules of one folder that need each other, a line each.
    pub fn cycles(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        let folders: BTreeSet<&[String]> = self
            .edges
            .iter()
            .flat_map(|edge| (0..edge.from.len()).map(|length| &edge.from[..length]))
            .collect();
        for folder in folders {
            let below = |module: &Module| {
                (module.starts_with(folder) && module.len() > folder.len())
                    .then(|| module[folder.len()].clone())
            };
            let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for edge in &self.edges {
                if let (Some(from), Some(to)) = (below(&edge.from), below(&edge.to))
                    && from != to
                {
                    uses.entry(from).or_default().insert(to);
                }
            }
            for from in uses.keys() {
                for to in reachable(from, &uses) {
                    if from < &to && reachable(&to, &uses).contains(from) {
                        let name = |module: &str| [folder.join("/").as_str(), module].join("/");
                        found.insert(format!("{} <-> {}", name(from), name(&to)));
                    }
                }
            }
        }
        found.into_iter().collect()
    }
}

fn reachable(from: &str, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in uses.get(module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen
}

/// The module of a source file; `None` for a file of tests.
fn module(name: &str) -> Option<Module> {
    let crates = ["harness/src/", "server/src/"];
    let path = Path::new(crates.iter().find_map(|root| name.strip_prefix(root))?);
    let mut parts: Module = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts
        .iter()
        .any(|part| part == "tests" || part.ends_with("_tests"))
    {
        return None;
    }
    if parts
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
    {
        parts.pop();
    }
    Some(parts)
}

/// A path that a module names.
struct Use {
    path: Module,
    is_export: bool,
}

// Compiled once: without optimization, that takes longer than to read a file.
static STATEMENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);").unwrap());
static INLINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap());

/// Every path of this crate that the code of a module names, from the root of the crate.
fn uses(module: &Module, text: &str, modules: &BTreeSet<Module>) -> Vec<Use> {
    let text = without_comments(code(text));
    let mut found = Vec::new();
    for one in STATEMENT.captures_iter(&text) {
        for path in expanded(&one[2]) {
            let is_export = one.get(1).is_some();
            found.extend(absolute(module, &path, modules).map(|path| Use { path, is_export }));
        }
    }
    let rest = STATEMENT.replace_all(&text, "");
    for path in INLINE.find_iter(&rest) {
        found.extend(absolute(module, path.as_str(), modules).map(|path| Use {
            path,
            is_export: false,
        }));
    }
    found
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// `a::{b, c::{d, self}}` as `a::b`, `a::c::d` and `a::c`.
fn expanded(path: &str) -> Vec<String> {
    let path: String = path.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((prefix, list)) = path.split_once('{') else {
        let name = path.split(" as ").next().unwrap_or_default().trim();
        return vec![name.trim_end_matches("::self").to_owned()];
    };
    let list =
        list.trim_end().trim_end_matches('}').to_owned() + &"}".repeat(list.matches('{').count());
    let mut depth = 0;
    let parts = list.split(|char| {
        depth += i32::from(char == '{') - i32::from(char == '}');
        char == ',' && depth == 0
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .flat_map(|part| expanded(&format!("{}{part}", prefix.trim())))
        .collect()
}

/// The path from the root of the crate; `None` for another crate's.
fn absolute(module: &Module, path: &str, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut base = match parts.first().copied()? {
        "crate" => {
            parts.remove(0);
            Vec::new()
        }
        "self" => {
            parts.remove(0);
            module.clone()
        }
        "super" => module.clone(),
        first => {
            let mut child = module.clone();
            child.push(first.to_owned());
            modules.contains(&child).then(|| module.clone())?
        }
    };
    while parts.first() == Some(&"super") {
        base.pop();
        parts.remove(0);
    }
    base.extend(parts.into_iter().map(str::to_owned));
    Some(base)
}

/// The module in which a path ends, through re-exports.
fn resolved(
    path: &Module,
    modules: &BTreeSet<Module>,
    exports: &BTreeMap<(Module, String), Module>,
) -> Module {
    /// Re-exports of re-exports that are followed.
    const DEPTH_MAX: usize = 8;
    let mut path = path.clone();
    for _ in 0..DEPTH_MAX {
        let mut length = path.len();
        while !modules.contains(&path[..length].to_vec()) {
            length -= 1;
        }
        let module = path[..length].to_vec();
        let Some(exported) = path
            .get(length)
            .and_then(|name| exports.get(&(module.clone(), name.clone())))
        else {
            return module;
        };
        path = exported
            .iter()
            .chain(&path[length + 1..])
            .cloned()
            .collect();
    }
    Vec::new()
}
