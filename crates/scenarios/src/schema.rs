//! JSON against a JSON Schema (draft 2020-12), as a reader of Sidetone's output would check it.

use std::fmt;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;

/// A schema, compiled. `format` is checked, not only noted.
pub struct Schema {
    schemas: Schemas,
    root: SchemaIndex,
}

impl Schema {
    /// Compiles a schema, which must itself be valid.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn of(schema: &Value) -> Self {
        const PLACE: &str = "https://schema.test/root.json";
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(PLACE, schema.clone()).unwrap();
        let mut schemas = Schemas::new();
        let root = compiler.compile(PLACE, &mut schemas).unwrap_or_else(|fault| panic!("{fault:#}"));
        Self { schemas, root }
    }

    /// Whether a value is valid.
    #[must_use]
    pub fn is_valid(&self, value: &Value) -> bool {
        self.schemas.validate(value, self.root).is_ok()
    }

    /// Fails the test when a value is not valid, and says where.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_valid(&self, value: &Value) {
        if let Err(fault) = self.schemas.validate(value, self.root) {
            panic!("{fault:#}\n{value:#}");
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("root", &self.root).finish_non_exhaustive()
    }
}
