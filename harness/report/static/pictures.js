setUpTips();
setUpPictures();
