//! A step of an opening that a program performs: a login that has to be computed.

use std::fmt;
use std::path::PathBuf;

use super::template::{Bindings, RenderError, Template};

/// A program that receives the connection as file descriptor 3.
#[derive(Debug, Clone)]
pub struct Exec {
    /// Its place in the file, for messages and evidence: `talk.open[0]`.
    pub label: String,
    /// The program and its arguments.
    pub words: Vec<Template>,
    /// The folder in which it runs.
    pub dir: PathBuf,
    /// Line of the file on which it starts, from 1.
    pub line: usize,
}

impl Exec {
    /// The program and its arguments, with the placeholders filled in.
    ///
    /// # Errors
    /// A name has no value, or a length does not fit into its field.
    pub fn render(&self, bindings: &Bindings) -> Result<Vec<String>, RenderError> {
        let word = |template: &Template| {
            let mut word = Vec::new();
            template.render(bindings, &mut word)?;
            Ok(String::from_utf8_lossy(&word).into_owned())
        };
        self.words.iter().map(word).collect()
    }
}

impl fmt::Display for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.words.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in() {
        let exec = Exec {
            label: "talk.open[0]".into(),
            words: ["login", "{port}-{user}"]
                .map(|word| Template::parse(word).unwrap())
                .to_vec(),
            dir: PathBuf::from("."),
            line: 1,
        };
        let mut bindings = Bindings::default();
        bindings.values.insert("port".into(), b"81".to_vec());
        assert_eq!(
            exec.render(&bindings),
            Err(RenderError::Unbound("user".to_owned()))
        );
        bindings.values.insert("user".into(), b"x".to_vec());
        assert_eq!(exec.render(&bindings).unwrap(), ["login", "81-x"]);
    }
}
