//! The conversation of a Gemini client -> turns.
//!
//! Calls need no ids here: a result belongs to the call of its id, else to the first open call of
//! its name, or to the first of all where the model never called that name. In neutral words every
//! call has an id, made of its place, name and arguments where the client gave none, so that the
//! same history gives the same ids in every turn.

use crate::base::id::stable_hash;
use crate::base::pen;
use crate::base::table::Table;
use crate::base::tree::{self, Tree};
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Media, MediaKind, Reasoning, ResultPart, Role, ToolCall, ToolResult, Turn};
use crate::protocol::fields::Fields;
use crate::protocol::gemini::part::{self, Part, Piece};
use crate::protocol::gemini::partial::Pieces;
use crate::protocol::gemini::spelling;
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

const STORED: &str = "llmgate carries images, PDF documents and sound inside the request only";

const CUT_OFF: &str = "a call of which pieces came was not told to its end";

/// The instructions: a text, a turn, or its parts.
pub(super) fn system(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Vec<String>, WireError> {
    let parts = match fields.take("systemInstruction") {
        None => return Ok(Vec::new()),
        Some(Tree::Text(text)) if text.is_empty() => return Ok(Vec::new()),
        Some(Tree::Text(text)) => return Ok(vec![text.into_owned()]),
        Some(turn @ Tree::Object(_)) => {
            let mut turn = Fields::of(turn, fields.at("systemInstruction"))?;
            turn.skip("role");
            let parts = turn.take("parts").unwrap_or(Tree::Null);
            turn.lose_rest(losses);
            parts
        }
        Some(parts) => parts,
    };
    let mut texts = Vec::new();
    for (index, value) in list(parts).into_iter().enumerate() {
        let path = fields.at("systemInstruction").at("parts").index(index);
        let is_text = matches!(value, Tree::Text(_));
        let value = if is_text { tree::object(vec![("text".into(), value)]) } else { value };
        match part::read(value, path.clone(), losses)?.piece {
            Piece::Text(text) | Piece::Thought(text) => texts.push(text),
            Piece::Empty => {}
            Piece::Media(_) | Piece::Call { .. } | Piece::Result(_) | Piece::File | Piece::Other(_) => {
                losses.degrade(path, "instructions are text");
            }
        }
    }
    Ok(texts)
}

/// The conversation.
pub(super) fn turns(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Vec<Turn>, WireError> {
    let mut reader = Reader::default();
    let mut turns = Vec::new();
    for mut content in spelling::objects(fields, "contents")? {
        let role = match content.word("role")?.as_deref() {
            None | Some("" | "user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(content.wrong("role", "user or model")),
        };
        let path = content.at("parts");
        reader.begin(role);
        // A client that keeps a stream's chunks as they came has a turn in many contents, of which
        // one holds the state and others the words.
        let goes_on = |turn: &mut Turn| role == Role::Assistant && turn.role == role;
        let mut blocks = turns.pop_if(goes_on).map_or_else(Vec::new, |turn| turn.blocks);
        if role == Role::User && reader.pieces.settle().is_some() {
            losses.degrade(path.clone(), CUT_OFF);
        }
        for (index, value) in list(content.take("parts").unwrap_or_default()).into_iter().enumerate() {
            let path = path.index(index);
            for value in reader.pieces.next(value, &path)?.into_iter().flatten() {
                let part = part::read(value, path.clone(), losses)?;
                reader.part(part, &path, &mut blocks, losses)?;
            }
        }
        content.lose_rest(losses);
        if role == Role::User {
            let results = blocks.iter().take_while(|block| matches!(block, Block::Result(_))).count();
            let drawn = reader.drawn.drain(..).map(|(path, media)| {
                losses.degrade(path, "shown in the user's next turn");
                Block::Media(media)
            });
            blocks.splice(results..results, drawn);
        }
        turns.push(Turn { role, blocks });
    }
    if reader.pieces.settle().is_some() {
        losses.degrade(fields.at("contents"), CUT_OFF);
    }
    for (path, _) in reader.drawn {
        losses.degrade(path, "elsewhere a model's turn holds no media");
    }
    Ok(turns)
}

/// A lone value is a list of one.
fn list(value: Tree<'_>) -> Vec<Tree<'_>> {
    match value {
        Tree::Null => Vec::new(),
        Tree::List(list) => list,
        value => vec![value],
    }
}

/// Reads parts, and knows which calls are open.
#[derive(Default)]
struct Reader {
    role: Option<Role>,
    calls: usize,
    known: Table<String, ()>,
    /// The functions that were called.
    called: Table<String, ()>,
    /// Ids and names of the calls whose results have not come.
    open: Vec<(String, String)>,
    /// Did the user speak since the last call?
    answered: bool,
    pieces: Pieces,
    /// What the model drew, and nobody was shown yet.
    drawn: Vec<(Path, Media)>,
}

impl Reader {
    fn begin(&mut self, role: Role) {
        self.answered |= role == Role::User;
        self.role = Some(role);
    }

    fn part(
        &mut self,
        part: Part<'_>,
        path: &Path,
        blocks: &mut Vec<Block>,
        losses: &mut Losses,
    ) -> Result<(), WireError> {
        let is_model = self.role == Some(Role::Assistant);
        let mut state = part.state.filter(|_| is_model);
        match part.piece {
            Piece::Call { .. } if !is_model => {
                losses.degrade(path.at("functionCall"), "only the model calls functions");
            }
            Piece::Result(_) if is_model => {
                losses.degrade(path.at("functionResponse"), "no result is the model's");
            }
            Piece::Call { id, name, arguments } => {
                if let Some(before) = state.take_if(|state| !part::is_of_call(state)) {
                    signed(before, blocks);
                }
                let id = self.call(id, &name, &arguments);
                blocks.push(Block::Call(ToolCall { id, name, arguments, free_form: false, state }));
                return Ok(());
            }
            Piece::Thought(text) if is_model => blocks.push(reasoning(text, state.take())),
            Piece::Text(text) | Piece::Thought(text) => {
                if let Some(state) = state.take() {
                    signed(state, blocks);
                }
                match blocks.last_mut() {
                    // Clients keep the model's words as they came, in pieces.
                    Some(Block::Text(words)) if is_model => words.push_str(&text),
                    _ => blocks.push(Block::Text(text)),
                }
            }
            // Elsewhere the model's turn holds none: the user shows it.
            Piece::Media(media) if is_model && media.kind != MediaKind::Audio => {
                self.drawn.push((path.clone(), media));
            }
            // An image or a document beside a result belongs to it: Gemini CLI's read_file.
            Piece::Media(media) => match blocks.last_mut() {
                Some(Block::Result(result)) if media.kind != MediaKind::Audio => {
                    result.content.push(ResultPart::Media(media))
                }
                _ => blocks.push(Block::Media(media)),
            },
            Piece::Result(fields) => blocks.push(Block::Result(self.result(fields, losses)?)),
            Piece::File => losses.refuse(path.at("fileData"), STORED),
            Piece::Other(name) => {
                losses.degrade(path.at(name), "it belongs to a tool that runs at Google");
                state = None;
            }
            Piece::Empty => {}
        }
        if let Some(state) = state {
            signed(state, blocks);
        }
        Ok(())
    }

    fn call(&mut self, id: Option<String>, name: &str, arguments: &str) -> String {
        if std::mem::take(&mut self.answered) {
            // What the user did not answer then is answered no more, unless by its id.
            self.open.clear();
        }
        let seed = format!("{} {name} {arguments}", self.calls);
        self.calls += 1;
        let id = id.unwrap_or_else(|| made_id(&seed));
        self.known.insert(id.clone(), ());
        self.called.insert(name.to_owned(), ());
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    fn result(&mut self, mut fields: Fields<'_>, losses: &mut Losses) -> Result<ToolResult, WireError> {
        let given = fields.text("id")?.filter(|id| !id.is_empty());
        let name = fields.text("name")?;
        let by_id = given.as_ref().filter(|id| self.known.contains_key(id.as_str()));
        let place = match (by_id, &name) {
            (Some(id), _) => self.open.iter().position(|(known, _)| known == id),
            (None, Some(name)) if self.called.contains_key(name.as_str()) => {
                self.open.iter().position(|(_, known)| known == name)
            }
            // Docker's cagent writes an id of its own for the name: Google goes by the order.
            (None, _) => (!self.open.is_empty()).then_some(0),
        };
        let matched = place.map(|place| self.open.remove(place).0);
        let (mut content, failed) = response(fields.take("response"), name.as_deref());
        for mut inner in spelling::objects(&mut fields, "parts")? {
            if let Some(text) = inner.text("text")? {
                content.push(ResultPart::Text(text));
                continue;
            }
            let path = inner.at("inlineData");
            match spelling::object(&mut inner, "inlineData")?
                .map(|data| part::media(data, losses))
                .transpose()?
            {
                Some(Piece::Media(media)) => content.push(ResultPart::Media(media)),
                Some(Piece::Text(text)) => content.push(ResultPart::Text(text)),
                _ => losses.refuse(path, STORED),
            }
        }
        fields.lose_rest(losses);
        let id = matched.or(given).unwrap_or_else(|| made_id(name.as_deref().unwrap_or_default()));
        Ok(ToolResult { id, name, content, failed })
    }
}

/// A state without words of its own. Another protocol's went out on whatever part could carry it: on
/// a call, or on the last part. It stood where its model began to answer, or after its last call, and
/// the words that were shown there are its own.
fn signed(state: State, blocks: &mut Vec<Block>) {
    if state.origin == part::ORIGIN {
        return blocks.push(reasoning(String::new(), Some(state)));
    }
    let is_call = |block: &Block| matches!(block, Block::Call(_));
    let begin = blocks.iter().rposition(is_call).map_or(0, |call| call + 1);
    let mut words = String::new();
    let mut told = blocks.split_off(begin);
    told.retain(|block| {
        let stateless = block.as_reasoning().filter(|reasoning| reasoning.state.is_none());
        words.push_str(stateless.map_or("", |reasoning| &reasoning.text));
        stateless.is_none()
    });
    let is_reasoning = |block: &Block| matches!(block, Block::Reasoning(_));
    let place = told.iter().position(|block| !is_reasoning(block)).unwrap_or(told.len());
    told.insert(place, reasoning(words, Some(state)));
    blocks.append(&mut told);
}

fn reasoning(text: String, state: Option<State>) -> Block {
    Block::Reasoning(Reasoning { text, state })
}

fn made_id(seed: &str) -> String {
    format!("call_{:016x}", stable_hash(seed.as_bytes()))
}

/// The text of a result, and whether the tool failed (SPEC 8.2). Some clients write the function's name
/// once more beside the text.
fn response(response: Option<Tree<'_>>, function: Option<&str>) -> (Vec<ResultPart>, bool) {
    let Some(response) = response else { return (Vec::new(), false) };
    let failed = match response.get("error") {
        None | Some(Tree::Null | Tree::Bool(false)) => false,
        Some(error) => error.as_text() != Some(""),
    };
    let is_name =
        |name: &str, value: &Tree<'_>| name == "name" && function.is_some() && value.as_text() == function;
    let lone = match &response {
        Tree::Object(members)
            if members.iter().filter(|(name, value)| !is_name(name, value)).count() == 1 =>
        {
            ["output", "error", "result", "content"].iter().find_map(|name| response.text(name))
        }
        _ => None,
    };
    let text = lone.map_or_else(|| pen::written(&response), str::to_owned);
    (vec![ResultPart::Text(text)], failed)
}

#[cfg(test)]
mod tests;
