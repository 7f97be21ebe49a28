"""What people read: feedback for students and the page of the class."""
