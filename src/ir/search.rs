//! A vendor's own search of the web, offered beside the tools (SPEC 8.5). It reaches a target of
//! another vendor only where that is known to have one: `tools.search` of the model.

/// A search of the web that runs at the vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Where it stood in the request.
    pub path: String,
    /// Was nothing else offered, so that the request means nothing without it?
    pub alone: bool,
    /// The only domains that are searched; when there are none, all.
    pub domains: Vec<String>,
    /// About where the user is: `city`, `country`, `region`, `timezone`.
    pub place: Vec<(&'static str, String)>,
}
