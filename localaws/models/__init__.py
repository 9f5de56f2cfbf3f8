"""Model servers, and what they load and answer with."""
