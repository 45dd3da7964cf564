//! Guardrail Keeper.
