//! Made-up rounds: what is recommended, and what is not.
