//! What the vendors' web searches have in common: where is searched, and for whom.

use crate::base::pen::Pen;
use crate::base::tree::Tree;
use crate::ir::search::Search;
use crate::protocol::fields::Fields;
use crate::protocol::wire::WireError;

const PLACE: [&str; 4] = ["city", "country", "region", "timezone"];

/// Takes a list of domains.
pub(super) fn domains(fields: &mut Fields<'_>, name: &'static str) -> Result<Vec<String>, WireError> {
    let list = fields.list(name)?.unwrap_or_default();
    Ok(list.iter().filter_map(Tree::as_text).map(str::to_owned).collect())
}

/// Takes `user_location`, as OpenAI and Anthropic write it.
pub(super) fn place(fields: &mut Fields<'_>) -> Result<Vec<(&'static str, String)>, WireError> {
    let Some(mut location) = fields.object("user_location")? else { return Ok(Vec::new()) };
    // Chat's stands one deeper.
    let mut location = location.object("approximate")?.unwrap_or(location);
    let mut place = Vec::new();
    for name in PLACE {
        place.extend(location.text(name)?.map(|text| (name, text)));
    }
    Ok(place)
}

/// Writes it.
pub(super) fn put_place(search: &Search, pen: &mut Pen<'_>) {
    if search.place.is_empty() {
        return;
    }
    pen.object_at("user_location", |pen| {
        pen.put("type", "approximate");
        for (name, text) in &search.place {
            pen.put(name, text);
        }
    });
}
