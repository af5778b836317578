"""How is a DAG drawn? A layered layout with nested groups, worked out here and sent as SVG."""
