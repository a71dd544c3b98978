//! Lines and functions in the format of lcov, which `genhtml` and services for coverage read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fuzz::CodeCoverage;

/// The text of an lcov file: a record for each source file that is there. How often a line was executed is not known, so it
/// counts once or not at all.
pub(crate) fn text(code: &CodeCoverage) -> String {
    // By file: the functions with their first lines, and whether they were reached. Names are unique within a record.
    let mut functions: BTreeMap<usize, BTreeMap<String, (u32, bool)>> = BTreeMap::new();
    for function in &code.functions {
        if let Some((file, line)) = function.place {
            let of_file = functions.entry(file).or_default();
            let name = function.name.replace(['\n', '\r'], " ");
            let known = of_file.entry(name).or_insert((line, false));
            known.0 = known.0.min(line);
            known.1 |= function.reached > 0;
        }
    }
    let mut text = String::new();
    for (place, file) in code.files.iter().enumerate() {
        if !file.is_there || file.lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "TN:\nSF:{}", file.path.display());
        let functions = functions.remove(&place).unwrap_or_default();
        for (name, (line, _)) in &functions {
            let _ = writeln!(text, "FN:{line},{name}");
        }
        for (name, (_, reached)) in &functions {
            let _ = writeln!(text, "FNDA:{},{name}", u8::from(*reached));
        }
        let hit = functions.values().filter(|(_, reached)| *reached).count();
        let _ = writeln!(text, "FNF:{}\nFNH:{hit}", functions.len());
        for (line, reached) in &file.lines {
            let _ = writeln!(text, "DA:{line},{}", u8::from(*reached));
        }
        let (all, hit) = (file.lines.len(), file.reached());
        let _ = writeln!(text, "LF:{all}\nLH:{hit}\nend_of_record");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::code_sample;

    #[test]
    fn files_that_are_there_have_a_record() {
        let expected = "TN:\nSF:/src/serve.c\nFN:9,never<u8, \"x\">\nFN:3,serve\nFNDA:0,never<u8, \"x\">\n\
            FNDA:1,serve\nFNF:2\nFNH:1\nDA:3,1\nDA:4,1\nDA:5,0\nDA:9,0\nLF:4\nLH:2\nend_of_record\n";
        assert_eq!(text(&code_sample()), expected);
    }
}
