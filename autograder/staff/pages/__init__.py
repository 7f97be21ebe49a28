"""HTML reports: the feedback of each student, and the page of the class."""
