"""Write the report: every evaluation of a workspace as tables and pages."""
