"""What other tools read about a model: card, ML-BOM, provenance, graph. Each fact carries its grade."""
