//! What ONNX Runtime's own file format (`.ort`) holds of a network: its tensors, and which node takes which of them.
//!
//! The format is a flatbuffer of the schema `ort.fbs`, identifier `ORTM`. Only the fields that are needed are read. The
//! file may come from anywhere: every offset is checked before it is followed, nesting and the number of nodes are
//! bounded, and nothing is copied but names.

use std::collections::HashMap;

use thiserror::Error;

/// Graphs within graphs that are followed: a decoder has two.
const DEEPEST: usize = 8;
/// Tables that are read, over all graphs: a decoder has some 7,000. They may be shared, so that without a bound a small
/// file could lead through one table again and again.
const MOST: usize = 200_000;
/// Dimensions of a tensor, inputs of a node.
const WIDEST: usize = 256;

/// Why an `.ort` file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrtError {
    /// It is something else.
    #[error("not a file of ONNX Runtime: the mark ORTM is missing at byte 4")]
    NotOrt,
    /// An offset or a length in it leads outside.
    #[error("the file is cut short or damaged: {0} lies outside of it")]
    Outside(&'static str),
    /// Something that every such file has is missing.
    #[error("the file is damaged: it has no {0}")]
    Missing(&'static str),
    /// It claims more than any network has.
    #[error("the file claims more {0} than any network has")]
    TooMany(&'static str),
}

/// The type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32-bit floats.
    Float,
    /// Bytes without a sign.
    Unsigned8,
    /// Bytes with a sign.
    Signed8,
    /// Another type, with its number in ONNX.
    Other(i32),
}

/// A constant of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant<'a> {
    /// The type of its values.
    pub kind: Kind,
    /// Its shape; empty for a single value.
    pub shape: Vec<usize>,
    /// Its values, little-endian, row by row.
    pub bytes: &'a [u8],
}

/// A node: what it is called and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    /// Its name, which comes from the module of the publisher's code: `/layers.0/mlp/fc1/MatMul_quant`.
    pub name: &'a str,
    /// The names of its inputs, in order; empty for one that is left out.
    pub inputs: Vec<&'a str>,
}

/// The constants and nodes of a network, those of nested graphs too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph<'a> {
    /// By name. Of two with one name the outer one.
    pub constants: HashMap<&'a str, Constant<'a>>,
    /// In the order of the file.
    pub nodes: Vec<Node<'a>>,
}

impl<'a> Graph<'a> {
    /// Reads `file`.
    ///
    /// # Errors
    /// It isn't such a file, or is damaged.
    pub fn read(file: &'a [u8]) -> Result<Self, OrtError> {
        if file.get(4..8) != Some(b"ORTM") {
            return Err(OrtError::NotOrt);
        }
        let buffer = Buffer(file);
        let root = buffer.table(buffer.follow(0, "the root")?)?;
        let model = root.child(slot::SESSION_MODEL, "model")?.ok_or(OrtError::Missing("model"))?;
        let graph = model.child(slot::MODEL_GRAPH, "graph")?.ok_or(OrtError::Missing("graph"))?;
        let mut found = Self::default();
        found.collect(graph, 0, &mut { MOST })?;
        Ok(found)
    }

    fn collect(&mut self, graph: Table<'a>, depth: usize, left: &mut usize) -> Result<(), OrtError> {
        if depth > DEEPEST {
            return Err(OrtError::TooMany("graphs within graphs"));
        }
        for tensor in graph.children(slot::GRAPH_INITIALIZERS, "a tensor")? {
            spend(left)?;
            let tensor = tensor?;
            let name = tensor.text(slot::TENSOR_NAME, "a tensor's name")?.unwrap_or_default();
            let constant = constant(tensor)?;
            self.constants.entry(name).or_insert(constant);
        }
        for node in graph.children(slot::GRAPH_NODES, "a node")? {
            spend(left)?;
            let node = node?;
            let name = node.text(slot::NODE_NAME, "a node's name")?.unwrap_or_default();
            let inputs = node.texts(slot::NODE_INPUTS, "a node's input")?;
            self.nodes.push(Node { name, inputs });
            for attribute in node.children(slot::NODE_ATTRIBUTES, "an attribute")? {
                spend(left)?;
                if let Some(inner) = attribute?.child(slot::ATTRIBUTE_GRAPH, "a graph within the graph")? {
                    self.collect(inner, depth + 1, left)?;
                }
            }
        }
        Ok(())
    }
}

fn spend(left: &mut usize) -> Result<(), OrtError> {
    *left = left.checked_sub(1).ok_or(OrtError::TooMany("nodes"))?;
    Ok(())
}

fn constant(tensor: Table<'_>) -> Result<Constant<'_>, OrtError> {
    let kind = match tensor.number(slot::TENSOR_TYPE, "a tensor's type")? {
        1 => Kind::Float,
        2 => Kind::Unsigned8,
        3 => Kind::Signed8,
        other => Kind::Other(other),
    };
    let mut shape = Vec::new();
    let dimensions = tensor.vector(slot::TENSOR_DIMENSIONS, 8, "a tensor's shape")?;
    if dimensions.len() / 8 > WIDEST {
        return Err(OrtError::TooMany("dimensions"));
    }
    for dimension in dimensions.chunks_exact(8) {
        let dimension = dimension.try_into().map(i64::from_le_bytes).unwrap_or(-1);
        shape.push(usize::try_from(dimension).map_err(|_| OrtError::Outside("a tensor's dimension"))?);
    }
    let bytes = tensor.vector(slot::TENSOR_DATA, 1, "a tensor's values")?;
    Ok(Constant { kind, shape, bytes })
}

/// Where fields stand in their tables' lists of offsets, by `ort.fbs`.
mod slot {
    pub(super) const SESSION_MODEL: usize = 6;
    pub(super) const MODEL_GRAPH: usize = 18;
    pub(super) const GRAPH_INITIALIZERS: usize = 4;
    pub(super) const GRAPH_NODES: usize = 8;
    pub(super) const NODE_NAME: usize = 4;
    pub(super) const NODE_INPUTS: usize = 20;
    pub(super) const NODE_ATTRIBUTES: usize = 24;
    pub(super) const ATTRIBUTE_GRAPH: usize = 18;
    pub(super) const TENSOR_NAME: usize = 4;
    pub(super) const TENSOR_DIMENSIONS: usize = 8;
    pub(super) const TENSOR_TYPE: usize = 10;
    pub(super) const TENSOR_DATA: usize = 12;
}

/// A flatbuffer: all offsets are little-endian, and relative to where they stand.
#[derive(Clone, Copy)]
struct Buffer<'a>(&'a [u8]);

impl<'a> Buffer<'a> {
    fn bytes<const N: usize>(self, at: usize, what: &'static str) -> Result<[u8; N], OrtError> {
        let end = at.checked_add(N).ok_or(OrtError::Outside(what))?;
        self.0.get(at..end).and_then(|b| b.try_into().ok()).ok_or(OrtError::Outside(what))
    }

    fn u16(self, at: usize, what: &'static str) -> Result<usize, OrtError> {
        Ok(usize::from(u16::from_le_bytes(self.bytes(at, what)?)))
    }

    fn u32(self, at: usize, what: &'static str) -> Result<usize, OrtError> {
        usize::try_from(u32::from_le_bytes(self.bytes(at, what)?)).map_err(|_| OrtError::Outside(what))
    }

    /// Where the offset at `at` leads.
    fn follow(self, at: usize, what: &'static str) -> Result<usize, OrtError> {
        at.checked_add(self.u32(at, what)?).ok_or(OrtError::Outside(what))
    }

    fn table(self, at: usize) -> Result<Table<'a>, OrtError> {
        let what = "a table";
        let back = i64::from(i32::from_le_bytes(self.bytes(at, what)?));
        let here = i64::try_from(at).map_err(|_| OrtError::Outside(what))?;
        let slots = usize::try_from(here - back).map_err(|_| OrtError::Outside(what))?;
        let size = self.u16(slots, what)?;
        Ok(Table { buffer: self, at, slots, size })
    }

    /// A vector's content, its elements `width` bytes wide, and where it stands.
    fn vector(self, at: usize, width: usize, what: &'static str) -> Result<(usize, &'a [u8]), OrtError> {
        let length = self.u32(at, what)?.checked_mul(width).ok_or(OrtError::Outside(what))?;
        let start = at.checked_add(4).ok_or(OrtError::Outside(what))?;
        let end = start.checked_add(length).ok_or(OrtError::Outside(what))?;
        Ok((start, self.0.get(start..end).ok_or(OrtError::Outside(what))?))
    }

    fn text(self, at: usize, what: &'static str) -> Result<&'a str, OrtError> {
        let (_, bytes) = self.vector(at, 1, what)?;
        std::str::from_utf8(bytes).map_err(|_| OrtError::Outside(what))
    }
}

/// A table: its fields are found by a list of offsets elsewhere.
#[derive(Clone, Copy)]
struct Table<'a> {
    buffer: Buffer<'a>,
    at: usize,
    slots: usize,
    size: usize,
}

impl<'a> Table<'a> {
    /// Where a field stands; `None` if the table lacks it.
    fn field(self, slot: usize, what: &'static str) -> Result<Option<usize>, OrtError> {
        if slot + 2 > self.size {
            return Ok(None);
        }
        let offset = self.buffer.u16(self.slots + slot, what)?;
        Ok((offset != 0).then_some(self.at + offset))
    }

    fn number(self, slot: usize, what: &'static str) -> Result<i32, OrtError> {
        match self.field(slot, what)? {
            Some(at) => Ok(i32::from_le_bytes(self.buffer.bytes(at, what)?)),
            None => Ok(0),
        }
    }

    fn child(self, slot: usize, what: &'static str) -> Result<Option<Self>, OrtError> {
        let Some(at) = self.field(slot, what)? else { return Ok(None) };
        self.buffer.table(self.buffer.follow(at, what)?).map(Some)
    }

    fn text(self, slot: usize, what: &'static str) -> Result<Option<&'a str>, OrtError> {
        let Some(at) = self.field(slot, what)? else { return Ok(None) };
        self.buffer.text(self.buffer.follow(at, what)?, what).map(Some)
    }

    fn vector(self, slot: usize, width: usize, what: &'static str) -> Result<&'a [u8], OrtError> {
        let Some(at) = self.field(slot, what)? else { return Ok(&[]) };
        Ok(self.buffer.vector(self.buffer.follow(at, what)?, width, what)?.1)
    }

    /// Where each element of a vector of offsets leads.
    fn targets(
        self,
        slot: usize,
        what: &'static str,
    ) -> Result<impl Iterator<Item = usize> + use<'a>, OrtError> {
        let (start, content) = match self.field(slot, what)? {
            Some(at) => self.buffer.vector(self.buffer.follow(at, what)?, 4, what)?,
            None => (0, &[][..]),
        };
        let offsets = content.chunks_exact(4).enumerate();
        Ok(offsets.filter_map(move |(n, offset)| {
            let offset = usize::try_from(u32::from_le_bytes(offset.try_into().ok()?)).ok()?;
            // Beyond the file's end is as bad as beyond the machine's: the table there is refused.
            Some((start + 4 * n).saturating_add(offset))
        }))
    }

    fn children(
        self,
        slot: usize,
        what: &'static str,
    ) -> Result<impl Iterator<Item = Result<Self, OrtError>> + use<'a>, OrtError> {
        let buffer = self.buffer;
        Ok(self.targets(slot, what)?.map(move |at| buffer.table(at)))
    }

    fn texts(self, slot: usize, what: &'static str) -> Result<Vec<&'a str>, OrtError> {
        let texts: Vec<&str> = self
            .targets(slot, what)?
            .take(WIDEST + 1)
            .map(|at| self.buffer.text(at, what))
            .collect::<Result<_, _>>()?;
        if texts.len() > WIDEST { Err(OrtError::TooMany("inputs of a node")) } else { Ok(texts) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by the schema's own builder: eleven tensors, three nodes, and a graph with two more within the last.
    const SMALL: &[u8] = include_bytes!("fixtures/small.ort");

    #[test]
    fn tensors_and_nodes_are_found_in_nested_graphs_too() {
        let graph = Graph::read(SMALL).unwrap();
        assert_eq!(graph.constants.len(), 11);
        let matrix = &graph.constants["M_quantized"];
        assert_eq!((matrix.kind, matrix.shape.as_slice()), (Kind::Unsigned8, &[2, 3][..]));
        assert_eq!(matrix.bytes, [10, 11, 12, 20, 21, 22]);
        assert_eq!(graph.constants["shape"].kind, Kind::Other(7));
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.name).collect();
        assert!(names.contains(&"/model/decoder/embed_tokens/Gather"), "{names:?}");
        assert_eq!(graph.nodes[0].inputs[1], "M_quantized");
    }

    #[test]
    fn other_files_are_told() {
        assert_eq!(Graph::read(b""), Err(OrtError::NotOrt));
        assert_eq!(Graph::read(b"PK\x03\x04 something else"), Err(OrtError::NotOrt));
        assert_eq!(Graph::read(b"\x14\0\0\0ORTM"), Err(OrtError::Outside("a table")));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_an_error_or_what_is_left() {
        for length in 0..SMALL.len() {
            if let Ok(graph) = Graph::read(&SMALL[..length]) {
                assert!(graph.constants.len() <= 11);
            }
        }
        assert!(Graph::read(&SMALL[..SMALL.len() / 2]).is_err());
    }

    #[test]
    fn graphs_that_hold_themselves_come_to_an_end() {
        // The attribute's graph is made the graph that it stands in.
        let outer = Graph::read(SMALL).unwrap();
        let mut ended = 0;
        for at in (8..SMALL.len() - 4).step_by(4) {
            for target in [8u32, 16, 64, 256] {
                let mut file = SMALL.to_vec();
                let back = target.wrapping_sub(at as u32);
                file[at..at + 4].copy_from_slice(&back.to_le_bytes());
                ended += usize::from(Graph::read(&file).is_err());
            }
        }
        assert!(ended > 0 && !outer.nodes.is_empty());
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_another_graph_but_never_a_panic(
            places in proptest::collection::vec((0..SMALL.len(), any::<u8>()), 1..12),
        ) {
            let mut file = SMALL.to_vec();
            for (place, byte) in places {
                file[place] = byte;
            }
            let _ = Graph::read(&file);
        }

        #[test]
        fn any_bytes_behind_the_mark_are_survived(mut file in proptest::collection::vec(any::<u8>(), 8..600)) {
            file[4..8].copy_from_slice(b"ORTM");
            let _ = Graph::read(&file);
        }
    }
}
